import { describe, expect, it } from "vitest";
import { layout, xOf } from "../src/layout";
import { addEvent, NO_TIMELINE, setAgentSpeaking } from "../src/timeline";
import type { TurnEvent } from "../src/turn-events";

const VIEW = { now: 10_000, width: 1000, span: 10_000 };
const EVENTS: TurnEvent[] = [
  { type: "turn_start", turn: 1, at: 2000, transcript: "" },
  { type: "turn_eager_end", turn: 1, at: 4200, transcript: "hello" },
  { type: "turn_end", turn: 1, at: 4600, transcript: "hello", speech_end_at: 4000 },
];
const TURN = EVENTS.reduce((timeline, event) => addEvent(timeline, event, "agent", event.at), NO_TIMELINE);

describe("layout", () => {
  it("puts now near the right edge and the oldest moment at the left", () => {
    expect(xOf(VIEW, 10_000)).toBe(960);
    expect(xOf(VIEW, 0)).toBe(0);
  });

  it("draws speech, the wait and the maybe of a turn one after the other", () => {
    const { bars, marks } = layout(TURN, VIEW);
    expect(bars.map((bar) => [bar.kind, Math.round(bar.x), Math.round(bar.width)])).toEqual([
      ["speaking", 192, 192],
      ["waiting", 384, 58],
      ["maybe", 403, 38],
    ]);
    expect(marks).toEqual([{ kind: "end", lane: "you", x: xOf(VIEW, 4600) }]);
  });

  it("labels the delays", () => {
    const { brackets } = layout(setAgentSpeaking(TURN, true, 4900), VIEW);
    expect(brackets.map((bracket) => [bracket.kind, bracket.label])).toEqual([
      ["end", "0.60 s"],
      ["reply", "0.90 s"],
    ]);
  });

  it("lets an open turn reach to now", () => {
    const open = addEvent(NO_TIMELINE, EVENTS[0] as TurnEvent, "agent", 2000);
    const [bar] = layout(open, VIEW).bars;
    expect((bar?.x ?? 0) + (bar?.width ?? 0)).toBeCloseTo(960);
  });

  it("leaves out what has scrolled away", () => {
    expect(layout(TURN, { ...VIEW, now: 60_000 }).bars).toEqual([]);
  });
});
