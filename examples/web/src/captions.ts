/** What was said, line by line: a pure reducer over the room's transcription segments. */

export type Speaker = "you" | "agent";

/** One delivery of a transcription segment: LiveKit repeats a segment's id as its text grows. */
export interface Segment {
  readonly id: string;
  readonly who: Speaker;
  readonly text: string;
  readonly final: boolean;
}

export interface Line extends Segment {
  /** The turn the line belongs to: the user's turn that was open or last ended when the line began. */
  readonly turn: number | null;
}

export interface Captions {
  readonly lines: readonly Line[];
}

export const NO_CAPTIONS: Captions = { lines: [] };

const KEPT_LINES = 200;

/** Take a segment in: a known id replaces its line's text in place, a new one begins a line. */
export function addSegment(captions: Captions, segment: Segment, turn: number | null): Captions {
  const text = segment.text.trim();
  const index = captions.lines.findIndex((line) => line.id === segment.id && line.who === segment.who);
  const known = captions.lines[index];
  if (known === undefined) {
    if (text === "") return captions;
    return { lines: [...captions.lines, { ...segment, text, turn }].slice(-KEPT_LINES) };
  }
  if (known.final) return captions;
  const next: Line = { ...known, text: text === "" ? known.text : text, final: segment.final };
  return { lines: captions.lines.with(index, next) };
}

/** The newest line of a speaker. */
export function latest(captions: Captions, who: Speaker): Line | null {
  return captions.lines.findLast((line) => line.who === who) ?? null;
}

/** End every line that still grows, as when the connection is gone. */
export function settle(captions: Captions): Captions {
  return { lines: captions.lines.map((line) => (line.final ? line : { ...line, final: true })) };
}
