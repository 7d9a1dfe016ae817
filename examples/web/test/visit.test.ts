import { ConnectionError, DisconnectReason, RoomEvent } from "livekit-client";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { BACK_WITHIN_MS } from "../src/session";
import { Visit } from "../src/visit";
import { FakeRoom, type FakeView, fakePage, settled } from "./fakes";

vi.mock("../src/paint", () => ({ Painter: class {} }));
vi.mock("livekit-client", async (original) => ({ ...(await original<object>()), Room: (await import("./fakes")).FakeRoom }));

const DENIED = new DOMException("Permission denied", "NotAllowedError");
const LEFT = { phase: "left", status: "You left the room", alert: null };
const CLOSED = { phase: "failed", status: "Disconnected", alert: expect.stringMatching(/^The room was closed\./) };

let visit: Visit;
let view: FakeView;

beforeEach(() => {
  FakeRoom.all.length = 0;
  vi.stubGlobal("location", { href: "http://page.test/" });
  vi.stubGlobal("history", { replaceState: () => undefined });
  vi.stubGlobal("fetch", async () => Response.json({ url: "ws://livekit.test", token: "token", room: "room" }));
  const page = fakePage();
  view = page.view;
  visit = new Visit(page.app);
});

/** Join until the browser asks for the microphone. */
async function joinUntilPrompt(): Promise<FakeRoom> {
  const room = await joinUntilConnecting();
  await room.connecting.succeed();
  expect(room.prompt.begun).toBe(true);
  return room;
}

async function joinUntilConnecting(): Promise<FakeRoom> {
  void visit.join();
  await settled();
  return FakeRoom.all.at(-1) as FakeRoom;
}

async function allow(room: FakeRoom): Promise<void> {
  await room.prompt.succeed();
  await room.publishing.succeed();
}

function close(room: FakeRoom): void {
  room.isConnected = false;
  room.tell(RoomEvent.Disconnected, DisconnectReason.ROOM_CLOSED);
}

const states = (): boolean[][] => FakeRoom.all.map((room) => [room.isConnected, room.isRecording]);

describe("a visit", () => {
  it("begins when the microphone is there, and is over once the visitor leaves", async () => {
    await allow(await joinUntilPrompt());
    expect([view.phase, states()]).toEqual(["waiting", [[true, true]]]);
    await visit.leave();
    expect(view).toMatchObject(LEFT);
    expect(states()).toEqual([[false, false]]);
  });

  it("does not begin because the connection is lost and made again while the browser asks", async () => {
    const room = await joinUntilPrompt();
    room.tell(RoomEvent.SignalReconnecting);
    expect(view.phase).toBe("joining");
    room.tell(RoomEvent.Reconnecting);
    room.tell(RoomEvent.Reconnected);
    expect(view.phase).toBe("joining");
    await allow(room);
    room.tell(RoomEvent.Reconnecting);
    expect(view.phase).toBe("reconnecting");
    room.tell(RoomEvent.Reconnected);
    expect(view.phase).toBe("waiting");
  });

  it("says why it could not begin, and leaves the room", async () => {
    const room = await joinUntilPrompt();
    await room.prompt.fail(DENIED);
    expect(view.alert).toMatch(/^The microphone could not be turned on: /);
    expect(view).toMatchObject({ phase: "before", status: "Not connected" });
    expect(states()).toEqual([[false, false]]);
  });

  it("says why the room could not be joined, not that its connection was lost", async () => {
    const room = await joinUntilConnecting();
    room.tell(RoomEvent.Disconnected);
    await room.connecting.fail(ConnectionError.websocket("no"));
    expect(view.alert).toMatch(/it may be full/);
  });
});

describe("a connection that is lost", () => {
  afterEach(() => void vi.useRealTimers());

  async function joined(): Promise<FakeRoom> {
    const room = await joinUntilPrompt();
    await allow(room);
    vi.useFakeTimers();
    return room;
  }

  it("ends the visit with a word where it does not come back, though livekit-client says nothing more", async () => {
    const room = await joined();
    room.tell(RoomEvent.SignalReconnecting);
    vi.advanceTimersByTime(BACK_WITHIN_MS / 2);
    room.tell(RoomEvent.Reconnecting);
    vi.advanceTimersByTime(BACK_WITHIN_MS / 2 - 1);
    expect(view).toMatchObject({ phase: "reconnecting", alert: null });
    vi.advanceTimersByTime(1);
    expect(view).toMatchObject({ phase: "failed", alert: expect.stringMatching(/reconnecting failed/) });
    expect(states()).toEqual([[false, false]]);
    room.tell(RoomEvent.Disconnected);
    expect(view.phase).toBe("failed");
  });

  it("has all that time anew once it came back", async () => {
    const room = await joined();
    for (let again = 0; again < 3; again++) {
      room.tell(RoomEvent.Reconnecting);
      vi.advanceTimersByTime(BACK_WITHIN_MS - 1);
      room.tell(RoomEvent.Reconnected);
    }
    vi.advanceTimersByTime(BACK_WITHIN_MS);
    expect(view).toMatchObject({ phase: "waiting", alert: expect.stringMatching(/^No agent has joined/) });
  });

  it("says nothing more to who left meanwhile", async () => {
    const room = await joined();
    room.tell(RoomEvent.Reconnecting);
    await visit.leave();
    vi.advanceTimersByTime(2 * BACK_WITHIN_MS);
    expect(view).toMatchObject(LEFT);
  });
});

describe("a visitor who leaves while joining", () => {
  it("joins no room where the token is still on its way", async () => {
    void visit.join();
    await visit.leave();
    await settled();
    expect(FakeRoom.all.map((room) => room.connecting.begun)).toEqual([false]);
    expect(view).toMatchObject(LEFT);
  });

  it("is not asked for the microphone where the room is still being joined", async () => {
    const room = await joinUntilConnecting();
    await visit.leave();
    await room.connecting.succeed();
    expect([states(), room.prompt.begun]).toEqual([[[false, false]], false]);
    expect(view).toMatchObject(LEFT);
  });

  it("is gone at once where the browser asks, and stays so whatever is answered", async () => {
    for (const answer of ["allow", "deny"]) {
      const room = await joinUntilPrompt();
      await visit.leave();
      expect(room.isConnected).toBe(false);
      await (answer === "allow" ? room.prompt.succeed() : room.prompt.fail(DENIED));
      expect([room.isConnected, room.isRecording, room.publishing.begun]).toEqual([false, false, false]);
      expect(view).toMatchObject(LEFT);
    }
  });

  it("is not recorded while the microphone is being published", async () => {
    const room = await joinUntilPrompt();
    await room.prompt.succeed();
    expect(room.isRecording).toBe(true);
    await visit.leave();
    expect(states()).toEqual([[false, false]]);
    await room.publishing.succeed();
    expect(view).toMatchObject(LEFT);
  });

  it("and joins again is in one room, and in none after leaving that", async () => {
    const first = await joinUntilPrompt();
    await visit.leave();
    const second = await joinUntilPrompt();
    await allow(first);
    expect(view.phase).toBe("joining");
    await allow(second);
    expect([view.phase, states()]).toEqual(["waiting", [[false, false], [true, true]]]);
    await visit.leave();
    expect(states()).toEqual([[false, false], [false, false]]);
  });
});

describe("a room that closes while the browser asks", () => {
  it("stays closed whatever is answered", async () => {
    for (const answer of ["allow", "deny"]) {
      const room = await joinUntilPrompt();
      close(room);
      expect(view).toMatchObject(CLOSED);
      await (answer === "allow" ? room.prompt.succeed() : room.prompt.fail(DENIED));
      expect([room.isConnected, room.isRecording, room.publishing.begun]).toEqual([false, false, false]);
      expect(view).toMatchObject(CLOSED);
    }
  });

  it("does nothing to the next visit", async () => {
    const first = await joinUntilPrompt();
    close(first);
    await allow(await joinUntilPrompt());
    await first.prompt.fail(new Error("The room is gone."));
    expect(view).toMatchObject({ phase: "waiting", alert: null });
    expect(states()).toEqual([[false, false], [true, true]]);
  });
});

describe("a visitor who leaves while the microphone is being unmuted", () => {
  it("is not told that it could not be", async () => {
    const room = await joinUntilPrompt();
    await allow(room);
    void visit.toggleMute();
    await visit.leave();
    await room.unmuting.fail(DENIED);
    expect(view).toMatchObject(LEFT);
  });
});
