/**
 * The page in each of its states without a room, for looking at it while working on it:
 * `npm run dev`, then `/gallery.html?state=speaking`. Not part of the build.
 */

import "@fontsource-variable/atkinson-hyperlegible-next/index.css";
import "./style.css";
import { App } from "./app";
import { BEGAN, EXAMPLE_AGENT, play } from "./example";
import { View } from "./view";
import { errorWords } from "./words";

/** Until when the conversation is played for a state. */
const STATES: Record<string, number> = {
  before: 0,
  joining: 0,
  waiting: 300,
  listening: 9000,
  speaking: 19_900,
  maybe: 20_600,
  done: 20_760,
  reply: 22_600,
  muted: 9000,
  unplugged: 9000,
  silent: 9000,
  reconnecting: 19_900,
  failed: 22_600,
  denied: 0,
};

function finish(state: string, app: App): void {
  if (state === "joining") app.setPhase("joining");
  if (state === "waiting") app.setPhase("waiting");
  if (state === "reconnecting") app.onReconnecting();
  if (state === "failed") app.onDisconnected(undefined);
  if (state === "muted") app.onMuted(true, true);
  if (state === "unplugged") app.onMuted(true, false);
  if (state === "silent") app.onSoundBlocked(true);
  if (state === "denied") app.couldNotJoin(errorWords(new DOMException("", "NotAllowedError")));
}

async function start(): Promise<void> {
  const page = new DOMParser().parseFromString(await (await fetch("/index.html")).text(), "text/html");
  document.body.innerHTML = page.body.innerHTML;
  const state = new URLSearchParams(location.search).get("state") ?? "reply";
  const until = STATES[state] ?? 0;
  const clock = { now: BEGAN };
  const app = new App(new View(), () => clock.now);
  if (state === "before") app.showExample();
  if (until > 0) {
    app.begin();
    app.onAgent({ id: EXAMPLE_AGENT, state: "listening" });
    app.joined();
    play(app, until, clock);
  }
  finish(state, app);
  const draw = (): void => {
    app.draw();
    requestAnimationFrame(draw);
  };
  draw();
}

void start();
