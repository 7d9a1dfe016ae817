import { beforeEach, describe, expect, it, vi } from "vitest";
import type { App } from "../src/app";
import { HINTS, OTHERS_TURN, PHASE_WORDS } from "../src/words";
import { type FakeView, fakePage } from "./fakes";

vi.mock("../src/paint", () => ({ Painter: class {} }));

const AGENT = { id: "agent", state: "listening" };

let app: App;
let view: FakeView;

beforeEach(() => {
  ({ app, view } = fakePage());
  app.begin();
  app.onAgent(AGENT);
});

describe("blocked sound", () => {
  it("is told in words until it is on", () => {
    app.joined();
    app.onSoundBlocked(true);
    expect(view).toMatchObject({ offersSound: true, alert: expect.stringMatching(/press Turn on sound/) });
    app.onSoundBlocked(false);
    expect(view).toMatchObject({ offersSound: false, alert: null });
  });

  it("is told once the visitor can do something about it", () => {
    app.onSoundBlocked(true);
    expect(view.alert).toBeNull();
    app.joined();
    expect(view.alert).toMatch(/press Turn on sound/);
  });

  it("is not told after the visit", () => {
    app.joined();
    app.onSoundBlocked(true);
    app.left();
    expect(view).toMatchObject({ offersSound: false, alert: null });
  });
});

describe("the hint", () => {
  it("asks to speak only while the agent hears it", () => {
    app.joined();
    expect(view.hint).toBe(HINTS.live);
    app.onReconnecting();
    expect(view.hint).toBe(HINTS.reconnecting);
    app.onReconnected();
    expect(view.hint).toBe(HINTS.live);
    app.onMuted(true, true);
    expect(view.hint).toBe(HINTS.muted);
    app.onMuted(false, true);
    expect(view.hint).toBe(HINTS.live);
  });

  it("stays with who is muted when the connection was lost, and not with the next visit", () => {
    app.joined();
    app.onMuted(true, false);
    app.onReconnecting();
    expect(view.hint).toBe(HINTS.reconnecting);
    app.onReconnected();
    expect(view.hint).toBe(HINTS.muted);
    app.left();
    app.begin();
    app.joined();
    expect(view.hint).toBe(HINTS.live);
  });

  it("says whom the agent hears, be the visitor muted or not", () => {
    app.joined();
    app.onMuted(true, true);
    app.onOthersTurn(true);
    expect(view).toMatchObject({ status: OTHERS_TURN, hint: HINTS.busy });
    app.onReconnecting();
    expect(view).toMatchObject({ status: PHASE_WORDS.reconnecting, hint: HINTS.reconnecting });
  });
});
