/** Starts the page: buttons to actions, and the clocks that measure and draw. */

import "@fontsource-variable/atkinson-hyperlegible-next/index.css";
import "./style.css";
import { roomOf, withRoom } from "./address";
import { App } from "./app";
import { Session } from "./session";
import { requestGrant } from "./token";
import { View } from "./view";
import { errorWords, microphoneWords, soundWords } from "./words";

const MEASURE_MS = 30;
const DRAW_MS = 30;
const CALM_DRAW_MS = 500;

class Visit {
  readonly #app: App;
  #session: Session | null = null;

  constructor(app: App) {
    this.#app = app;
  }

  async join(): Promise<void> {
    if (this.#app.isJoining) return;
    this.#app.begin();
    try {
      const grant = await requestGrant(roomOf(location.href));
      this.#session = await Session.join(grant, this.#app);
      history.replaceState(null, "", withRoom(location.href, grant.room));
      this.#app.joined();
    } catch (error) {
      this.#app.fail(errorWords(error));
    }
  }

  async toggleMute(): Promise<void> {
    const session = this.#session;
    if (session === null) return;
    const muted = !session.wantsMuted;
    try {
      await session.setMuted(muted);
    } catch (error) {
      this.#app.alert("microphone", microphoneWords(error, muted ? "off" : "on"));
    }
  }

  async leave(): Promise<void> {
    const session = this.#session;
    this.#session = null;
    this.#app.left();
    await session?.leave();
  }

  async startSound(): Promise<void> {
    try {
      await this.#session?.startSound();
    } catch (error) {
      if (this.#app.inRoom) this.#app.alert("sound", soundWords(error));
    }
  }

  measure(): void {
    if (this.#session !== null && this.#app.inRoom) this.#app.measure(this.#session.levels());
  }
}

/** Draw 30 times a second; twice where nothing moves, and for visitors who ask for less motion. */
function keepDrawing(app: App): void {
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const draw = (): void => {
    app.draw();
    setTimeout(() => requestAnimationFrame(draw), calm.matches || app.isStill ? CALM_DRAW_MS : DRAW_MS);
  };
  draw();
}

function start(): void {
  const view = new View();
  const app = new App(view);
  const visit = new Visit(app);
  app.showExample();
  view.join.addEventListener("click", () => void visit.join());
  view.mute.addEventListener("click", () => void visit.toggleMute());
  view.leave.addEventListener("click", () => void visit.leave());
  view.sound.addEventListener("click", () => void visit.startSound());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => app.themeChanged());
  setInterval(() => visit.measure(), MEASURE_MS);
  keepDrawing(app);
}

start();
