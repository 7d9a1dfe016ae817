import { describe, expect, it } from "vitest";
import { LABEL_WIDTH, layout, xOf } from "../src/layout";
import { addEvent, NO_TIMELINE, setAgentSpeaking } from "../src/timeline";
import type { TurnEvent } from "../src/turn-events";

const VIEW = { now: 10_000, left: 0, width: 1000, span: 10_000 };
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
    expect(brackets.map((bracket) => [bracket.kind, bracket.lane, bracket.label]).sort()).toEqual([
      ["end", "you", "0.60 s"],
      ["reply", "agent", "0.90 s"],
    ]);
  });

  it("draws the oldest moment right of the lanes' names", () => {
    const view = { ...VIEW, left: 60 };
    expect(xOf(view, 10_000)).toBe(960);
    expect(xOf(view, 0)).toBe(60);
  });

  it("puts no figure over another, and the newest over its bracket", () => {
    const spans = Array.from({ length: 6 }, (_, index) => 2000 + index * 500);
    const timeline = spans.reduce(
      (sofar, at, index) =>
        [
          { type: "turn_start", turn: index + 1, at, transcript: "" } as const,
          { type: "turn_end", turn: index + 1, at: at + 300, transcript: "a", speech_end_at: at + 200 } as const,
        ].reduce((before, event) => setAgentSpeaking(addEvent(before, event, "agent", event.at), event.type === "turn_end", event.at + 100), sofar),
      NO_TIMELINE,
    );
    for (const width of [330, 1000]) {
      const { brackets } = layout(timeline, { ...VIEW, width });
      for (const lane of ["you", "agent"]) {
        const row = brackets.filter((one) => one.lane === lane).sort((one, other) => other.labelX - one.labelX);
        expect(row.length).toBeGreaterThan(4);
        expect(row[0]?.labelX).toBe(((row[0]?.from ?? 0) + (row[0]?.to ?? 0)) / 2);
        const gaps = row.slice(1).map((one, index) => (row[index]?.labelX ?? 0) - one.labelX);
        expect(Math.min(...gaps)).toBeGreaterThanOrEqual(LABEL_WIDTH - 0.001);
      }
    }
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
