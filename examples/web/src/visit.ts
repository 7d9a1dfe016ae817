/** What the visitor does: join, mute, leave, turn on the sound; one session at a time. */

import { roomOf, withRoom } from "./address";
import type { App } from "./app";
import { Session } from "./session";
import { requestGrant } from "./token";
import { errorWords, microphoneWords, soundWords } from "./words";

export class Visit {
  readonly #app: App;
  #session: Session | null = null;

  constructor(app: App) {
    this.#app = app;
  }

  async join(): Promise<void> {
    if (this.#app.isJoining) return;
    this.#app.begin();
    const session = new Session(this.#app);
    this.#session = session;
    try {
      const grant = await requestGrant(roomOf(location.href));
      await session.join(grant);
      history.replaceState(null, "", withRoom(location.href, grant.room));
      this.#app.joined();
    } catch (error) {
      // Why a session is over, the visitor knows already.
      if (!session.isOver) this.#app.couldNotJoin(errorWords(error));
      await session.leave();
    }
  }

  async toggleMute(): Promise<void> {
    const session = this.#session;
    if (session === null) return;
    const muted = !session.wantsMuted;
    try {
      await session.setMuted(muted);
    } catch (error) {
      if (!session.isOver) this.#app.alert("microphone", microphoneWords(error, muted ? "off" : "on"));
    }
  }

  async leave(): Promise<void> {
    const session = this.#session;
    this.#session = null;
    this.#app.left();
    await session?.leave();
  }

  async startSound(): Promise<void> {
    const session = this.#session;
    if (session === null) return;
    try {
      await session.startSound();
    } catch (error) {
      if (!session.isOver) this.#app.alert("sound", soundWords(error));
    }
  }

  measure(): void {
    if (this.#session !== null && this.#app.inRoom) this.#app.measure(this.#session.levels());
  }
}
