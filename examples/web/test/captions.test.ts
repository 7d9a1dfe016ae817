import { describe, expect, it } from "vitest";
import { addSegment, type Captions, latest, NO_CAPTIONS, type Segment, settle } from "../src/captions";

function segment(id: string, text: string, final = false, who: Segment["who"] = "you"): Segment {
  return { id, who, text, final };
}

function lines(captions: Captions): string[] {
  return captions.lines.map((line) => `${line.who}: ${line.text}${line.final ? "." : "…"}`);
}

describe("captions", () => {
  it("grow in place and end once", () => {
    let captions = addSegment(NO_CAPTIONS, segment("a", "book"), 1);
    captions = addSegment(captions, segment("a", "book a table"), 1);
    captions = addSegment(captions, segment("a", "book a table", true), 1);
    captions = addSegment(captions, segment("a", "late and stale"), 1);
    expect(lines(captions)).toEqual(["you: book a table."]);
  });

  it("keep both speakers' lines in the order they began", () => {
    let captions = addSegment(NO_CAPTIONS, segment("a", "hello", true), 1);
    captions = addSegment(captions, segment("b", "hi", false, "agent"), 1);
    captions = addSegment(captions, segment("c", "wait"), 2);
    captions = addSegment(captions, segment("b", "hi there", true, "agent"), 2);
    expect(lines(captions)).toEqual(["you: hello.", "agent: hi there.", "you: wait…"]);
    expect(captions.lines.map((line) => line.turn)).toEqual([1, 1, 2]);
    expect(latest(captions, "agent")?.text).toBe("hi there");
  });

  it("begin no line for nothing, and keep the text when a final comes empty", () => {
    expect(addSegment(NO_CAPTIONS, segment("a", " "), null).lines).toEqual([]);
    const grown = addSegment(NO_CAPTIONS, segment("a", "hello"), null);
    expect(lines(addSegment(grown, segment("a", "", true), null))).toEqual(["you: hello."]);
  });

  it("end what still grows when the connection is gone", () => {
    expect(lines(settle(addSegment(NO_CAPTIONS, segment("a", "hel"), 1)))).toEqual(["you: hel."]);
  });
});
