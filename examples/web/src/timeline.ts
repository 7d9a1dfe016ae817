/** Who held the floor when: a pure model of turns, the agent's speech, and the delays between them. Times in ms. */

import type { TurnEvent } from "./turn-events";

export interface Span {
  readonly from: number;
  readonly to: number | null;
}

/** One turn of the user. */
export interface Turn {
  /** This page's own number: each agent counts from 1. */
  readonly id: number;
  readonly agent: string;
  /** The agent's number. */
  readonly number: number;
  readonly from: number;
  /** When speech last stopped, as the worker saw it. */
  readonly speechEnd: number | null;
  /** Stretches in which the turn was perhaps over: from an eager end to its resume or the turn's end. */
  readonly maybe: readonly Span[];
  readonly to: number | null;
  /** When this page was told of the end: later than `to` by the time that the news took. */
  readonly toldOver: number | null;
  readonly text: string;
}

/** One stretch of the agent's speech, and the turns it stands between. */
export interface Talk extends Span {
  /** The turn it answers, when none of its earlier speech did. */
  readonly answers: number | null;
  /** The turn that cut it short. */
  readonly cutBy: number | null;
}

export interface Timeline {
  readonly turns: readonly Turn[];
  readonly talks: readonly Talk[];
  /** The agent whose events were taken in last. */
  readonly agent: string | null;
  /** This page's clock minus that agent's: the smallest difference seen, of the event that took the least time. */
  readonly clockOffset: number | null;
}

export type TurnState = "listening" | "speaking" | "maybe" | "done";

export interface Delays {
  /** End of speech to end of turn. */
  readonly end: number | null;
  /** How long before the end of the turn its last eager end came, the one that was right. */
  readonly lead: number | null;
  /** End of speech (else of the turn) to the agent's first sound. */
  readonly reply: number | null;
  /** For a turn that interrupted: its start to the agent's silence. */
  readonly stop: number | null;
}

export const NO_TIMELINE: Timeline = { turns: [], talks: [], agent: null, clockOffset: null };

const KEPT = 100;
/** A sound nearer than this to the end of a turn is noise, or a pause inside speech, rather than the last word. */
const PAUSE_MS = 100;
/** How long "done" is shown, from when the page was told, before it says that it listens again. */
const DONE_SHOWN_MS = 1200;

/**
 * Take in a turn event of an agent that arrived at `now`. An event of an unknown turn begins it, as its start may have
 * been missed; a turn that is over takes nothing in. Where the worker does not know when speech stopped, the
 * microphone's last sound (`lastSound`) tells.
 */
export function addEvent(
  timeline: Timeline,
  event: TurnEvent,
  agent: string,
  now: number,
  lastSound: number | null = null,
): Timeline {
  const known = timeline.turns.find((turn) => turn.agent === agent && turn.number === event.turn);
  if (known !== undefined && known.to !== null) return timeline;
  const seen = agent === timeline.agent ? timeline.clockOffset : null;
  const clockOffset = Math.min(seen ?? Infinity, now - event.at);
  const local = (at: number): number => at + clockOffset;
  const begun = known ?? newTurn(timeline, event, agent, local(event.speech_start_at ?? event.at));
  const next = { ...advance(begun, event, local, lastSound), toldOver: event.type === "turn_end" ? now : null };
  const turns = known === undefined ? begin(timeline, next) : timeline.turns.map((turn) => (turn === known ? next : turn));
  return { ...timeline, turns, agent, clockOffset };
}

/** The agent began or stopped to be heard at `now`. */
export function setAgentSpeaking(timeline: Timeline, speaking: boolean, now: number): Timeline {
  const last = timeline.talks.at(-1);
  const open = last !== undefined && last.to === null;
  if (speaking === open) return timeline;
  const talks = speaking ? [...timeline.talks, newTalk(timeline, now)].slice(-KEPT) : endTalk(timeline, now);
  return { ...timeline, talks };
}

/** Close whatever is open, as when the connection is gone. */
export function settle(timeline: Timeline, now: number): Timeline {
  return setAgentSpeaking(closeTurns(timeline, now), false, now);
}

/** Close the open turn, whose end will not be told. */
export function closeTurns(timeline: Timeline, now: number): Timeline {
  return { ...timeline, turns: timeline.turns.map((turn) => closeTurn(turn, now)) };
}

/** What the newest turn is doing. */
export function turnState(timeline: Timeline, now: number): TurnState {
  const turn = timeline.turns.at(-1);
  if (turn === undefined) return "listening";
  if (turn.to !== null) return now - (turn.toldOver ?? turn.to) < DONE_SHOWN_MS ? "done" : "listening";
  return turn.maybe.at(-1)?.to === null ? "maybe" : "speaking";
}

/** The newest turn's number, for captions to be filed under. */
export function currentTurn(timeline: Timeline): number | null {
  return timeline.turns.at(-1)?.id ?? null;
}

export function delays(timeline: Timeline, id: number): Delays {
  const turn = timeline.turns.find((candidate) => candidate.id === id);
  if (turn === undefined) return { end: null, lead: null, reply: null, stop: null };
  const answer = timeline.talks.find((talk) => talk.answers === id);
  const cut = timeline.talks.find((talk) => talk.cutBy === id);
  const held = turn.maybe.at(-1);
  const ended = turn.to;
  return {
    end: between(turn.speechEnd, ended),
    lead: ended !== null && held?.to === ended ? ended - held.from : null,
    reply: between(turn.speechEnd ?? ended, answer?.from ?? null),
    stop: between(turn.from, cut?.to ?? null),
  };
}

function between(from: number | null, to: number | null): number | null {
  return from === null || to === null ? null : Math.max(0, to - from);
}

/** A new turn closes the ones before it: the user takes one at a time. */
function begin(timeline: Timeline, next: Turn): readonly Turn[] {
  return [...closeTurns(timeline, next.from).turns, next].slice(-KEPT);
}

function newTurn(timeline: Timeline, event: TurnEvent, agent: string, from: number): Turn {
  const id = (currentTurn(timeline) ?? 0) + 1;
  return { id, agent, number: event.turn, from, speechEnd: null, maybe: [], to: null, toldOver: null, text: "" };
}

function advance(turn: Turn, event: TurnEvent, local: (at: number) => number, lastSound: number | null): Turn {
  const at = Math.max(local(event.at), turn.from);
  const heardLast = lastSound !== null && lastSound > turn.from && lastSound <= at - PAUSE_MS ? lastSound : turn.speechEnd;
  const speechEnd = event.speech_end_at === undefined ? heardLast : Math.max(local(event.speech_end_at), turn.from);
  const text = event.transcript === "" ? turn.text : event.transcript;
  switch (event.type) {
    case "turn_start":
    case "turn_update":
      return { ...turn, text };
    case "turn_eager_end":
      return { ...turn, text, speechEnd, maybe: [...closeSpans(turn.maybe, at), { from: at, to: null }] };
    case "turn_resume":
      return { ...turn, text, speechEnd: null, maybe: closeSpans(turn.maybe, at) };
    case "turn_end":
      return { ...turn, text, speechEnd, maybe: closeSpans(turn.maybe, at), to: at };
  }
}

function closeSpans(spans: readonly Span[], at: number): readonly Span[] {
  return spans.map((span) => (span.to === null ? { ...span, to: at } : span));
}

function closeTurn(turn: Turn, at: number): Turn {
  if (turn.to !== null) return turn;
  const to = Math.max(at, turn.from);
  return { ...turn, to, maybe: closeSpans(turn.maybe, to) };
}

function newTalk(timeline: Timeline, now: number): Talk {
  const turn = timeline.turns.findLast((candidate) => candidate.to !== null);
  const answered = timeline.talks.some((talk) => talk.answers === turn?.id);
  return { from: now, to: null, answers: turn === undefined || answered ? null : turn.id, cutBy: null };
}

function endTalk(timeline: Timeline, now: number): readonly Talk[] {
  return timeline.talks.map((talk) => {
    if (talk.to !== null) return talk;
    const over = timeline.turns.find((turn) => turn.from > talk.from && turn.from <= now);
    return { ...talk, to: now, cutBy: over?.id ?? null };
  });
}
