/** A short conversation to show before there is a real one: in the page's welcome and in the gallery. */

import type { Segment } from "./captions";
import type { TurnEvent } from "./turn-events";

/** Who is told of a played conversation. */
export interface Audience {
  onTurnEvent(event: TurnEvent, agent: string): void;
  onSegment(segment: Segment): void;
  measure(levels: { you: number; agent: number }): void;
}

const STEP_MS = 30;

/** One thing that happens at a moment of the played conversation, in milliseconds from its start. */
type Step = readonly [number, (audience: Audience) => void];

interface Sound {
  readonly from: number;
  readonly to: number;
  readonly who: "you" | "agent";
}

export const BEGAN = Date.UTC(2026, 0, 1, 12);
export const EXAMPLE_AGENT = "example";

const SOUNDS: readonly Sound[] = [
  { from: 1500, to: 4600, who: "you" },
  { from: 5400, to: 7900, who: "agent" },
  { from: 9500, to: 11_000, who: "you" },
  { from: 11_900, to: 13_800, who: "you" },
  { from: 14_600, to: 18_300, who: "agent" },
  { from: 18_050, to: 20_200, who: "you" },
  { from: 21_000, to: 24_000, who: "agent" },
];

function turn(type: TurnEvent["type"], number: number, at: number, transcript = "", spoken?: number): Step {
  const speech = spoken === undefined ? {} : type === "turn_start" ? { speech_start_at: spoken } : { speech_end_at: spoken };
  const moved = Object.fromEntries(Object.entries(speech).map(([name, value]) => [name, BEGAN + value]));
  const event: TurnEvent = { type, turn: number, at: BEGAN + at, transcript, ...moved };
  return [at, (audience) => audience.onTurnEvent(event, EXAMPLE_AGENT)];
}

function says(who: "you" | "agent", id: string, at: number, text: string, final = false): Step {
  return [at, (audience) => audience.onSegment({ id, who, text, final })];
}

const STEPS: readonly Step[] = [
  turn("turn_start", 1, 1700, "", 1500),
  says("you", "1", 2400, "Could you tell me"),
  says("you", "1", 3500, "Could you tell me what time it is"),
  turn("turn_eager_end", 1, 4900, "Could you tell me what time it is?"),
  turn("turn_end", 1, 5120, "Could you tell me what time it is?", 4600),
  says("you", "1", 5120, "Could you tell me what time it is?", true),
  says("agent", "a1", 5500, "It is a quarter past nine."),
  says("agent", "a1", 7900, "It is a quarter past nine.", true),
  turn("turn_start", 2, 9700, "", 9500),
  says("you", "2", 10_600, "And a table for"),
  turn("turn_eager_end", 2, 11_300, "And a table for"),
  turn("turn_resume", 2, 12_000, "And a table for"),
  says("you", "2", 12_900, "And a table for two at"),
  turn("turn_eager_end", 2, 14_060, "And a table for two at eight, please."),
  turn("turn_end", 2, 14_320, "And a table for two at eight, please.", 13_800),
  says("you", "2", 14_320, "And a table for two at eight, please.", true),
  says("agent", "a2", 14_700, "A table for two at eight. Shall I also ask for one by the"),
  says("agent", "a2", 18_300, "A table for two at eight. Shall I also ask for one by the", true),
  turn("turn_start", 3, 18_200, "", 18_050),
  says("you", "3", 18_900, "No, make that"),
  says("you", "3", 19_700, "No, make that half past"),
  turn("turn_eager_end", 3, 20_450, "No, make that half past eight."),
  turn("turn_end", 3, 20_700, "No, make that half past eight.", 20_200),
  says("you", "3", 20_700, "No, make that half past eight.", true),
  says("agent", "a3", 21_050, "Half past eight it is."),
];

/** A moment of it at which the timeline shows a resume, an interruption and a reply. */
export const WORTH_SEEING_MS = 22_600;

function loudness(who: Sound["who"], at: number): number {
  const sounding = SOUNDS.some((sound) => sound.who === who && sound.from <= at && at < sound.to);
  if (!sounding) return 0.002;
  const syllables = Math.abs(Math.sin(at / 130)) * Math.abs(Math.sin(at / 47 + 1));
  return 0.03 + 0.16 * syllables;
}

/** Play it from its start, on the clock given. */
export function play(audience: Audience, until: number, clock: { now: number }): void {
  for (let at = 0; at <= until; at += STEP_MS) {
    clock.now = BEGAN + at;
    audience.measure({ you: loudness("you", at), agent: loudness("agent", at) });
    for (const [when, act] of STEPS) if (when > at - STEP_MS && when <= at) act(audience);
  }
}

