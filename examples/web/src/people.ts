/** Who is who in a room: the visitor of this page, the agent, and everybody else. */

import type { Speaker } from "./captions";

/** What LiveKit knows of a participant, as far as it matters here. */
export interface Person {
  readonly sid: string;
  readonly identity: string;
  readonly isAgent: boolean;
  readonly joinedAt?: Date | undefined;
}

/** The agent of the room. */
export interface Agent {
  /** LiveKit's id of its stay in the room: another agent has another, and so has one that came back. */
  readonly id: string;
  /** As LiveKit names it. */
  readonly state: string;
}

/** The agent that joined last: one that was replaced may stay until LiveKit notices that it is dead. */
export function newestAgent<P extends Person>(people: Iterable<P>): P | null {
  const agents = [...people].filter((one) => one.isAgent);
  const joined = (one: P): number => one.joinedAt?.getTime() ?? 0;
  return agents.reduce<P | null>((newest, one) => (newest !== null && joined(newest) > joined(one) ? newest : one), null);
}

/** Tells whose words arrive. Some arrive when the speaker has already left. */
export class People {
  readonly #agents = new Set<string>();

  see(people: Iterable<Person>): void {
    for (const one of people) if (one.isAgent) this.#agents.add(one.identity);
  }

  /** Who speaks under an identity; null for another visitor, whose words are not for this page. */
  speaker(identity: string, visitor: string): Speaker | null {
    if (identity === visitor) return "you";
    return this.#agents.has(identity) ? "agent" : null;
  }
}
