import { describe, expect, it } from "vitest";
import { addEvent, closeTurns, currentTurn, delays, NO_TIMELINE, setAgentSpeaking, settle, type Timeline, turnState } from "../src/timeline";
import type { TurnEvent, TurnEventType } from "../src/turn-events";

const WORKER_AHEAD = 50_000;
const AGENT = "PA_1";

function event(type: TurnEventType, at: number, more: Partial<TurnEvent> = {}): TurnEvent {
  return { type, turn: 1, at: at + WORKER_AHEAD, transcript: "", ...more };
}

/** Each event arrives the moment it happens, on a clock 50 s behind the worker's. */
function play(...events: TurnEvent[]): Timeline {
  return events.reduce((timeline, one) => addEvent(timeline, one, AGENT, one.at - WORKER_AHEAD), NO_TIMELINE);
}

describe("a turn", () => {
  it("goes from speaking over maybe to done, and back to listening", () => {
    let timeline = play(event("turn_start", 1000));
    expect(turnState(timeline, 1100)).toBe("speaking");
    timeline = addEvent(timeline, event("turn_eager_end", 2000, { transcript: "hello" }), AGENT, 2000);
    expect(turnState(timeline, 2100)).toBe("maybe");
    timeline = addEvent(timeline, event("turn_end", 2400, { transcript: "hello" }), AGENT, 2400);
    expect(turnState(timeline, 2500)).toBe("done");
    expect(turnState(timeline, 9000)).toBe("listening");
  });

  it("is shown as done for a while even where the news of its end comes late", () => {
    const timeline = addEvent(play(event("turn_start", 1000)), event("turn_end", 2000), AGENT, 5000);
    expect(timeline.turns[0]?.to).toBe(2000);
    expect(turnState(timeline, 5100)).toBe("done");
    expect(turnState(timeline, 6300)).toBe("listening");
  });

  it("is speaking again after a resume, and its first maybe is closed", () => {
    const timeline = play(event("turn_start", 0), event("turn_eager_end", 1000), event("turn_resume", 1300));
    expect(turnState(timeline, 1400)).toBe("speaking");
    expect(timeline.turns[0]?.maybe).toEqual([{ from: 1000, to: 1300 }]);
  });

  it("begins when speech began, where the worker knows it", () => {
    const timeline = play(event("turn_start", 1000, { speech_start_at: WORKER_AHEAD + 700 }));
    expect(timeline.turns[0]?.from).toBe(700);
  });

  it("begins with whatever arrives first, as its start may have been missed", () => {
    const timeline = play(event("turn_update", 1000, { transcript: "late" }));
    expect(timeline.turns[0]).toMatchObject({ id: 1, from: 1000, text: "late", to: null });
  });

  it("is closed by the next turn, and takes nothing in after its end", () => {
    const timeline = play(
      event("turn_start", 0),
      event("turn_start", 500, { turn: 2 }),
      event("turn_update", 600, { transcript: "stray" }),
    );
    expect(timeline.turns.find((turn) => turn.id === 1)).toMatchObject({ to: 500, text: "" });
    expect(currentTurn(timeline)).toBe(2);
    expect(turnState(timeline, 700)).toBe("speaking");
  });
});

describe("delays", () => {
  const ended = play(
    event("turn_start", 0),
    event("turn_eager_end", 2200),
    event("turn_end", 2600, { speech_end_at: WORKER_AHEAD + 2000, transcript: "hello" }),
  );

  it("are measured from the end of speech", () => {
    const timeline = setAgentSpeaking(ended, true, 2900);
    expect(delays(timeline, 1)).toEqual({ end: 600, lead: 400, reply: 900, stop: null });
  });

  it("go by the microphone where the worker knows nothing of the end of speech", () => {
    const started = play(event("turn_start", 0));
    expect(delays(addEvent(started, event("turn_end", 2600), AGENT, 2600, 2000), 1).end).toBe(600);
    expect(delays(addEvent(started, event("turn_end", 2600), AGENT, 2600, 2590), 1).end).toBeNull();
  });

  it("give a turn one reply only", () => {
    const once = setAgentSpeaking(setAgentSpeaking(ended, true, 2900), false, 3500);
    const again = setAgentSpeaking(once, true, 4000);
    expect(again.talks.map((talk) => talk.answers)).toEqual([1, null]);
  });

  it("say how long an interrupted agent went on", () => {
    const talking = setAgentSpeaking(ended, true, 2900);
    const interrupted = addEvent(talking, event("turn_start", 4000, { turn: 2 }), AGENT, 4000);
    expect(delays(setAgentSpeaking(interrupted, false, 4250), 2).stop).toBe(250);
  });

  it("are unknown for a turn nobody knows", () => {
    expect(delays(NO_TIMELINE, 7)).toEqual({ end: null, lead: null, reply: null, stop: null });
  });
});

describe("an agent that is replaced", () => {
  const first = play(event("turn_start", 0), event("turn_end", 900), event("turn_start", 2000, { turn: 2 }));
  const SECOND_AHEAD = -3000;
  const second = (type: TurnEventType, at: number): TurnEvent => ({ type, turn: 1, at: at + SECOND_AHEAD, transcript: "anew" });

  it("leaves its turns to themselves: the next one's are other turns, by its own clock", () => {
    let timeline = addEvent(first, second("turn_start", 5000), "PA_2", 5000);
    expect(turnState(timeline, 5100)).toBe("speaking");
    timeline = addEvent(timeline, second("turn_end", 6000), "PA_2", 6000);
    expect(timeline.clockOffset).toBe(-SECOND_AHEAD);
    expect(timeline.turns.map((turn) => [turn.from, turn.to, turn.text])).toEqual([
      [0, 900, ""],
      [2000, 5000, ""],
      [5000, 6000, "anew"],
    ]);
    expect(new Set(timeline.turns.map((turn) => turn.id)).size).toBe(3);
  });

  it("adds nothing any more to a turn that is over", () => {
    const timeline = addEvent(first, second("turn_start", 5000), "PA_2", 5000);
    expect(addEvent(timeline, event("turn_end", 5200, { turn: 2 }), AGENT, 5200)).toBe(timeline);
  });
});

describe("the clocks", () => {
  it("are brought together by the packet that waited least", () => {
    const slow = addEvent(NO_TIMELINE, event("turn_start", 1000), AGENT, 1400);
    const quick = addEvent(slow, event("turn_update", 2000), AGENT, 2010);
    expect(quick.clockOffset).toBe(10 - WORKER_AHEAD);
  });
});

describe("closing the turns", () => {
  it("ends the open turn and lets the agent go on", () => {
    const open = setAgentSpeaking(play(event("turn_start", 0)), true, 600);
    const closed = closeTurns(open, 1000);
    expect(closed.turns[0]?.to).toBe(1000);
    expect(closed.talks[0]?.to).toBeNull();
  });
});

describe("settling", () => {
  it("leaves nothing open", () => {
    const open = setAgentSpeaking(play(event("turn_start", 0), event("turn_eager_end", 500)), true, 600);
    const settled = settle(open, 1000);
    expect(settled.turns[0]).toMatchObject({ to: 1000, maybe: [{ from: 500, to: 1000 }] });
    expect(settled.talks[0]?.to).toBe(1000);
  });
});
