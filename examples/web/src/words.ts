/** What the page says when something happens to the connection: a sentence for the visitor, and what to do. */

import { DisconnectReason } from "livekit-client";

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

/** An error with a sentence that can be shown as it is. */
export class PageError extends Error {
  override readonly name = "PageError";
}

const MEDIA_WORDS: Record<string, string> = {
  NotAllowedError: "the browser may not use it. Allow it beside the address bar, then try again.",
  NotFoundError: "there is none. Plug one in, then try again.",
  NotReadableError: "another program uses it. Close that program, then try again.",
};

/** A sentence for whatever went wrong while joining. */
export function errorWords(error: unknown): string {
  if (error instanceof PageError) return error.message;
  if (!(error instanceof Error)) return "Joining failed for a reason the browser does not give. Try again.";
  if (error.name in MEDIA_WORDS) return microphoneWords(error, "on");
  return `The room could not be joined: ${error.message}. Is the LiveKit server running?`;
}

/** A sentence for a microphone that could not be turned on, or off. */
export function microphoneWords(error: unknown, wanted: "on" | "off"): string {
  const known = error instanceof Error ? (MEDIA_WORDS[error.name] ?? `${error.message}.`) : "the browser does not say why.";
  return `The microphone could not be turned ${wanted}: ${known}`;
}

/** What is said when a microphone falls silent that the visitor did not mute. */
export const MICROPHONE_LOST =
  "Your microphone was turned off, and not by you: it was unplugged, or the browser may not use it any more. Make it work again, then choose Unmute.";

const REASON_WORDS: Partial<Record<DisconnectReason, string>> = {
  [DisconnectReason.DUPLICATE_IDENTITY]: "You joined again from another window, so this one was disconnected.",
  [DisconnectReason.SERVER_SHUTDOWN]: "The LiveKit server was shut down.",
  [DisconnectReason.PARTICIPANT_REMOVED]: "You were removed from the room.",
  [DisconnectReason.ROOM_DELETED]: "The room was closed.",
  [DisconnectReason.ROOM_CLOSED]: "The room was closed.",
};

/** A sentence for a disconnection nobody asked for. */
export function reasonWords(reason: DisconnectReason | undefined): string {
  const known = reason === undefined ? undefined : REASON_WORDS[reason];
  return `${known ?? "The connection to the room was lost and could not be made again."} Join again to go on.`;
}
