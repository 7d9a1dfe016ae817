/** What the page says when something happens to the connection: a sentence for the visitor, and what to do. */

import { ConnectionError, ConnectionErrorReason, DisconnectReason } from "livekit-client";

export type Phase = "before" | "joining" | "waiting" | "live" | "reconnecting" | "left" | "failed";

export const PHASE_WORDS: Record<Phase, string> = {
  before: "Not connected",
  joining: "Joining",
  waiting: "Connected, waiting for the agent",
  live: "Connected",
  reconnecting: "Connection lost, reconnecting",
  left: "You left the room",
  failed: "Disconnected",
};

/** In the status while the agent listens to somebody else, as nothing else on the page would say so. */
export const OTHERS_TURN = "Connected, the agent listens to another visitor";

/** Shown in the place of the visitor's words before there are any. */
export const HINTS = {
  live: "Say something.",
  waiting: "The agent will join in a moment.",
  alone: "There is no agent in this room.",
  busy: "The agent listens to another visitor.",
  muted: "Your microphone is off.",
  reconnecting: "The agent can't hear you at the moment.",
};

/** What is said when the agent is long in coming. Half a minute: an empty room is gone by then, and a new one asks anew. */
export const NO_AGENT =
  "No agent has joined. Leave, and start again after half a minute. If that does not help, look at the agent's log.";

/** An error with a sentence that can be shown as it is. */
export class PageError extends Error {
  override readonly name = "PageError";
}

const MEDIA_WORDS: Record<string, string> = {
  NotAllowedError: "the browser is not allowed to use it. Allow it beside the address bar, then try again.",
  NotFoundError: "no microphone was found. Plug one in, then try again.",
  NotReadableError: "another program is using it. Close that program, then try again.",
  AbortError: "it did not start. Plug it in again, then try again.",
  OverconstrainedError: "no microphone is suitable. Plug in another one, then try again.",
};

/** A sentence for whatever went wrong while joining. */
export function errorWords(error: unknown): string {
  if (error instanceof PageError) return error.message;
  if (!(error instanceof Error)) return "Joining failed, and the browser gives no reason. Try again.";
  if (error.name in MEDIA_WORDS) return microphoneWords(error, "on");
  if (error instanceof ConnectionError) return connectionWords(error);
  return `The room could not be joined: ${error.message}. Try again.`;
}

function connectionWords(error: ConnectionError): string {
  switch (error.reason) {
    case ConnectionErrorReason.NotAllowed:
      return `The LiveKit server does not let you in: ${error.message}. Try again.`;
    // It answers other requests: livekit-client asks before it says one of these two.
    case ConnectionErrorReason.WebSocket:
    case ConnectionErrorReason.LeaveRequest:
      return "The LiveKit server does not let you into this room: it may be full. Try again later, or open this page without a room in its address.";
    case ConnectionErrorReason.InternalError:
      return `The room could not be joined: ${error.message}. Try again; if that does not help, look at the LiveKit server's log.`;
    default:
      return `The room could not be joined: ${error.message}. Is the LiveKit server running?`;
  }
}

/** What is said when the browser plays no sound before the visitor asks for it. */
export const SOUND_BLOCKED = "The browser does not play the agent's voice yet: press Turn on sound.";

/** A sentence for sound that could not be turned on. */
export function soundWords(error: unknown): string {
  const denied = error instanceof Error && error.name === "NotAllowedError";
  const why = denied ? "the browser is not allowed to play sound. Allow it beside the address bar" : "the browser gives no reason. Check your speakers";
  return `The sound could not be turned on: ${why}, then press Turn on sound again.`;
}

/** A sentence for a microphone that could not be turned on, or off. */
export function microphoneWords(error: unknown, wanted: "on" | "off"): string {
  const known = error instanceof Error ? (MEDIA_WORDS[error.name] ?? `${error.message}.`) : "the browser gives no reason.";
  return `The microphone could not be turned ${wanted}: ${known}`;
}

/** What is said when a microphone falls silent that the visitor did not mute. */
export const MICROPHONE_LOST =
  "Your microphone has stopped: it was unplugged, or the browser is no longer allowed to use it. Fix this, then press Unmute.";

const REASON_WORDS: Partial<Record<DisconnectReason, string>> = {
  [DisconnectReason.DUPLICATE_IDENTITY]: "You joined again from another window, so this one was disconnected.",
  [DisconnectReason.SERVER_SHUTDOWN]: "The LiveKit server was shut down.",
  [DisconnectReason.PARTICIPANT_REMOVED]: "You were removed from the room.",
  [DisconnectReason.ROOM_DELETED]: "The room was closed.",
  [DisconnectReason.ROOM_CLOSED]: "The room was closed.",
};

const LOST = "The connection to the LiveKit server was lost, and reconnecting failed. The server may have been shut down.";

/** A sentence for a disconnection nobody asked for. */
export function reasonWords(reason: DisconnectReason | undefined): string {
  const known = reason === undefined ? undefined : REASON_WORDS[reason];
  return `${known ?? LOST} Join again to continue.`;
}
