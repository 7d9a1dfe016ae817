import { beforeEach, describe, expect, it, vi } from "vitest";
import type { App } from "../src/app";
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
    expect(view).toMatchObject({ offersSound: true, alert: expect.stringMatching(/choose Turn on sound/) });
    app.onSoundBlocked(false);
    expect(view).toMatchObject({ offersSound: false, alert: null });
  });

  it("is told once the visitor can do something about it", () => {
    app.onSoundBlocked(true);
    expect(view.alert).toBeNull();
    app.joined();
    expect(view.alert).toMatch(/choose Turn on sound/);
  });

  it("is not told after the visit", () => {
    app.joined();
    app.onSoundBlocked(true);
    app.left();
    expect(view).toMatchObject({ offersSound: false, alert: null });
  });
});
