/** Where everything of the timeline stands, in pixels: pure, so that what is drawn can be tested without a canvas. */

import { delays, type Timeline, type Turn } from "./timeline";

export type Lane = "you" | "agent";

export interface Bar {
  readonly kind: "speaking" | "waiting" | "maybe" | "talk";
  readonly lane: Lane;
  readonly x: number;
  readonly width: number;
}

export interface Mark {
  readonly kind: "end" | "resume" | "cut";
  readonly lane: Lane;
  readonly x: number;
}

/** A measured delay: a bracket from one moment to another, with its figure, whose middle is at `labelX`. */
export interface Bracket {
  readonly kind: "end" | "reply" | "stop";
  readonly lane: Lane;
  readonly from: number;
  readonly to: number;
  readonly label: string;
  readonly labelX: number;
}

export interface Tick {
  readonly x: number;
  readonly label: string;
}

export interface Layout {
  readonly bars: readonly Bar[];
  readonly marks: readonly Mark[];
  readonly brackets: readonly Bracket[];
  readonly ticks: readonly Tick[];
  readonly nowX: number;
}

export interface View {
  readonly now: number;
  /** Where the oldest moment stands: what is left of it is for the names of the lanes. */
  readonly left: number;
  readonly width: number;
  /** Milliseconds from the left edge to now. */
  readonly span: number;
}

const AFTER_NOW = 0.04;
const TICK_MS = 5000;

/** Figures are some 42 pixels wide; nearer to each other than this they can't be told apart. */
export const LABEL_WIDTH = 48;

/** The x of a moment. */
export function xOf(view: View, at: number): number {
  const nowX = view.width * (1 - AFTER_NOW);
  return nowX - ((view.now - at) / view.span) * (nowX - view.left);
}

export function layout(timeline: Timeline, view: View): Layout {
  const since = view.now - view.span;
  const turns = timeline.turns.filter((turn) => (turn.to ?? view.now) >= since - view.span / 4);
  const talks = timeline.talks.filter((talk) => (talk.to ?? view.now) >= since);
  const talkBars = talks.map((talk) => bar(view, "talk", "agent", talk.from, talk.to ?? view.now));
  const cuts = talks.filter((talk) => talk.cutBy !== null && talk.to !== null);
  return {
    bars: [...turns.flatMap((turn) => turnBars(view, turn)), ...talkBars],
    marks: [...turns.flatMap((turn) => turnMarks(view, turn)), ...cuts.map((talk) => mark(view, "cut", "agent", talk.to ?? 0))],
    brackets: spread(turns.flatMap((turn) => turnBrackets(view, timeline, turn))),
    ticks: ticks(view),
    nowX: xOf(view, view.now),
  };
}

/** Milliseconds as people read them: `0.42 s`. */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}

function bar(view: View, kind: Bar["kind"], lane: Lane, from: number, to: number): Bar {
  const x = xOf(view, from);
  return { kind, lane, x, width: Math.max(2, xOf(view, to) - x) };
}

function mark(view: View, kind: Mark["kind"], lane: Lane, at: number): Mark {
  return { kind, lane, x: xOf(view, at) };
}

function turnBars(view: View, turn: Turn): Bar[] {
  const to = turn.to ?? view.now;
  const spoken = turn.speechEnd ?? turn.maybe.findLast((span) => span.to === turn.to)?.from ?? to;
  const bars = [bar(view, "speaking", "you", turn.from, Math.max(turn.from, spoken))];
  if (spoken < to) bars.push(bar(view, "waiting", "you", spoken, to));
  return [...bars, ...turn.maybe.map((span) => bar(view, "maybe", "you", span.from, span.to ?? view.now))];
}

function turnMarks(view: View, turn: Turn): Mark[] {
  const resumed = turn.maybe.filter((span) => span.to !== null && span.to !== turn.to);
  const marks = resumed.map((span) => mark(view, "resume", "you", span.to ?? 0));
  return turn.to === null ? marks : [...marks, mark(view, "end", "you", turn.to)];
}

function turnBrackets(view: View, timeline: Timeline, turn: Turn): Bracket[] {
  const measured = delays(timeline, turn.id);
  const brackets: Bracket[] = [];
  if (measured.end !== null && turn.speechEnd !== null) {
    brackets.push(bracket(view, "end", turn.speechEnd, measured.end));
  }
  const spoken = turn.speechEnd ?? turn.to;
  if (measured.reply !== null && spoken !== null) brackets.push(bracket(view, "reply", spoken, measured.reply));
  if (measured.stop !== null) brackets.push(bracket(view, "stop", turn.from, measured.stop));
  return brackets;
}

function bracket(view: View, kind: Bracket["kind"], at: number, length: number): Bracket {
  const [from, to] = [xOf(view, at), xOf(view, at + length)];
  const lane = kind === "end" ? "you" : "agent";
  return { kind, lane, from, to, label: seconds(length), labelX: (from + to) / 2 };
}

/** The brackets with no figure over another: the newest stands over its bracket, and pushes older ones to the left. */
function spread(brackets: readonly Bracket[]): Bracket[] {
  const limits = { you: Infinity, agent: Infinity };
  const newestFirst = [...brackets].sort((one, other) => other.labelX - one.labelX);
  return newestFirst.map((one) => {
    const labelX = Math.min(one.labelX, limits[one.lane] - LABEL_WIDTH);
    limits[one.lane] = labelX;
    return { ...one, labelX };
  });
}

function ticks(view: View): Tick[] {
  const count = Math.floor(view.span / TICK_MS);
  return Array.from({ length: count }, (_, index) => {
    const ago = (index + 1) * TICK_MS;
    return { x: xOf(view, view.now - ago), label: `${ago / 1000} s ago` };
  });
}
