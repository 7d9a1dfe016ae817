/** Starts the page: buttons to actions, and the clocks that measure and draw. */

import "@fontsource-variable/atkinson-hyperlegible-next/index.css";
import "./style.css";
import { App } from "./app";
import { View } from "./view";
import { Visit } from "./visit";

const MEASURE_MS = 30;
const DRAW_MS = 30;
const CALM_DRAW_MS = 500;

/** Draw 30 times a second, but only twice if nothing moves or the visitor asks for less motion. */
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
