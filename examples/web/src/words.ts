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
  NotAllowedError: "The browser may not use the microphone. Allow it beside the address bar, then join again.",
  NotFoundError: "No microphone was found. Plug one in, then join again.",
  NotReadableError: "The microphone is in use by another program. Close that program, then join again.",
};

/** A sentence for whatever went wrong while joining. */
export function errorWords(error: unknown): string {
  if (error instanceof PageError) return error.message;
  if (!(error instanceof Error)) return "Joining failed for a reason the browser does not give. Try again.";
  const known = MEDIA_WORDS[error.name];
  if (known !== undefined) return known;
  return `The room could not be joined: ${error.message}. Is the LiveKit server running?`;
}

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
