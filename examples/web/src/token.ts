/** Asks the token endpoint (`examples/roomkit`) for a short-lived grant for one room. */

import { PageError } from "./words";

export interface Grant {
  readonly url: string;
  readonly token: string;
  readonly room: string;
}

export async function requestGrant(room: string | null): Promise<Grant> {
  const response = await ask(room);
  const body: unknown = await response.json().catch(() => null);
  if (response.ok && isGrant(body)) return body;
  const said = typeof body === "object" && body !== null && "error" in body ? String(body.error) : `status ${response.status}`;
  throw new PageError(`The token endpoint refused: ${said}.`);
}

async function ask(room: string | null): Promise<Response> {
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify(room === null ? {} : { room });
  try {
    return await fetch("api/token", { method: "POST", headers, body });
  } catch {
    throw new PageError("The token endpoint does not answer. Is `make room` still running?");
  }
}

function isGrant(body: unknown): body is Grant {
  if (typeof body !== "object" || body === null) return false;
  const grant = body as Record<string, unknown>;
  return [grant.url, grant.token, grant.room].every((field) => typeof field === "string");
}
