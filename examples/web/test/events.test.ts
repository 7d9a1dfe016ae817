import { describe, expect, it } from "vitest";
import { parseTurnEvent } from "../src/turn-events";

const EVENT = { type: "turn_end", turn: 3, participant: "visitor", at: 1_800_000_000_000, transcript: "hello", speech_end_at: 1_799_999_999_500 };

describe("parseTurnEvent", () => {
  it("reads what the worker sends", () => {
    const bytes = new TextEncoder().encode(JSON.stringify(EVENT));
    expect(parseTurnEvent(bytes)).toEqual(EVENT);
  });

  it.each([
    ["no JSON", "turn_end"],
    ["no object", "3"],
    ["null", "null"],
    ["an unknown type", JSON.stringify({ ...EVENT, type: "turn_dream" })],
    ["no time", JSON.stringify({ ...EVENT, at: undefined })],
    ["a time that is none", JSON.stringify({ ...EVENT, speech_end_at: "soon" })],
    ["a participant without a name", JSON.stringify({ ...EVENT, participant: 7 })],
    ["no transcript", JSON.stringify({ ...EVENT, transcript: null })],
  ])("ignores %s", (_what, text) => {
    expect(parseTurnEvent(text)).toBeNull();
  });
});
