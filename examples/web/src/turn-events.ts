/**
 * The contract between the agent worker and this page.
 *
 * The worker publishes each turn event of the speech-to-text plugin as one reliable data packet on the
 * topic `cartesia_turns`; its payload is one JSON object in UTF-8, a `TurnEvent`. In Python:
 *
 *     await room.local_participant.publish_data(json.dumps(event), reliable=True, topic="cartesia_turns")
 *
 * All times are milliseconds since the Unix epoch on the worker's clock. The page never compares them with its
 * own clock directly: it learns the difference from the events' arrival (see `timeline.ts`).
 */

export const TURN_TOPIC = "cartesia_turns";

export const TURN_EVENT_TYPES = ["turn_start", "turn_update", "turn_eager_end", "turn_resume", "turn_end"] as const;

export type TurnEventType = (typeof TURN_EVENT_TYPES)[number];

export interface TurnEvent {
  readonly type: TurnEventType;
  /** Which turn: the same for all events of one turn, and larger for each later one. Each agent counts from 1. */
  readonly turn: number;
  /** Whose turn, the same for all its events: the identity of the participant the agent listens to, if to anybody. */
  readonly participant?: string;
  /** When the worker received the event. */
  readonly at: number;
  /** The turn's text so far; empty on `turn_start`. Of a very long one the newest words, after "…". */
  readonly transcript: string;
  /** When speech began: on `turn_start`, where the worker knows it; never after `at`. */
  readonly speech_start_at?: number;
  /** When speech last stopped: on `turn_end`, where the worker knows it; never after `at`. */
  readonly speech_end_at?: number;
}

/** The event in a packet's payload, or null when it is not one (a newer worker may send types unknown here). */
export function parseTurnEvent(payload: Uint8Array | string): TurnEvent | null {
  const text = typeof payload === "string" ? payload : new TextDecoder().decode(payload);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  return isTurnEvent(value) ? value : null;
}

function isTurnEvent(value: unknown): value is TurnEvent {
  if (typeof value !== "object" || value === null) return false;
  const event = value as Record<string, unknown>;
  return (
    (TURN_EVENT_TYPES as readonly unknown[]).includes(event.type) &&
    isTime(event.turn) &&
    isTime(event.at) &&
    (event.participant === undefined || typeof event.participant === "string") &&
    typeof event.transcript === "string" &&
    (event.speech_start_at === undefined || isTime(event.speech_start_at)) &&
    (event.speech_end_at === undefined || isTime(event.speech_end_at))
  );
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}
