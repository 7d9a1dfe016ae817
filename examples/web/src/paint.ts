/** Draws a laid-out timeline on a canvas, in the colours that the style sheet gives for the visitor's theme. */

import { type Bar, type Bracket, LABEL_WIDTH, type Lane, type Layout, type Mark } from "./layout";
import type { Level } from "./levels";

export interface Palette {
  readonly ink: string;
  readonly faint: string;
  readonly line: string;
  readonly you: string;
  readonly agent: string;
  readonly font: string;
}

/** The colours in force now; asked again when the theme changes. */
export function readPalette(element: HTMLElement): Palette {
  const style = getComputedStyle(element);
  const read = (name: string): string => style.getPropertyValue(name).trim();
  return {
    ink: read("--ink"),
    faint: read("--ink-soft"),
    line: read("--line"),
    you: read("--you"),
    agent: read("--agent"),
    font: style.fontFamily,
  };
}

const BAR = 34;
const LANES: Record<Lane, number> = { you: 0.34, agent: 0.77 };
/** Height of a delay's bracket, as a fraction of the canvas: each kind has a row of its own. */
const ROWS: Record<Lane, number> = { you: 0.16, agent: 0.59 };
/** Pixels at the left for the names of the lanes; nothing is drawn over them. */
export const GUTTER = 62;

export interface Waves {
  readonly you: readonly { x: number; level: Level }[];
  readonly agent: readonly { x: number; level: Level }[];
}

export class Painter {
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  #palette: Palette;
  #hatch: CanvasPattern | null = null;

  constructor(canvas: HTMLCanvasElement) {
    const context = canvas.getContext("2d");
    if (context === null) throw new Error("This browser draws no canvas.");
    this.#canvas = canvas;
    this.#context = context;
    this.#palette = readPalette(canvas);
    this.refresh();
  }

  /** Read the colours again, and redo what depends on them. */
  refresh(): void {
    this.#palette = readPalette(this.#canvas);
    this.#hatch = this.#hatchPattern();
  }

  get width(): number {
    return this.#canvas.clientWidth;
  }

  paint(layout: Layout, waves: Waves): void {
    this.#fit();
    this.#context.clearRect(0, 0, this.#canvas.clientWidth, this.#canvas.clientHeight);
    this.#context.save();
    this.#context.beginPath();
    this.#context.rect(GUTTER, 0, this.#canvas.clientWidth, this.#canvas.clientHeight);
    this.#context.clip();
    this.#grid(layout);
    for (const bar of layout.bars) this.#bar(bar);
    this.#wave("you", waves.you);
    this.#wave("agent", waves.agent);
    for (const mark of layout.marks) this.#mark(mark);
    for (const bracket of layout.brackets) this.#bracket(bracket);
    this.#context.restore();
  }

  #fit(): void {
    const ratio = window.devicePixelRatio || 1;
    const { clientWidth, clientHeight } = this.#canvas;
    const [width, height] = [Math.round(clientWidth * ratio), Math.round(clientHeight * ratio)];
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      this.#canvas.width = width;
      this.#canvas.height = height;
    }
    this.#context.setTransform(ratio, 0, 0, ratio, 0, 0);
  }

  #y(fraction: number): number {
    return Math.round(this.#canvas.clientHeight * fraction);
  }

  #grid(layout: Layout): void {
    const pen = this.#context;
    const bottom = this.#y(0.9);
    pen.strokeStyle = this.#palette.line;
    pen.fillStyle = this.#palette.faint;
    pen.font = `12px ${this.#palette.font}`;
    pen.textAlign = "center";
    pen.lineWidth = 1;
    for (const tick of layout.ticks) {
      this.#rule(tick.x, 0, bottom);
      if (tick.x > GUTTER + 30) pen.fillText(tick.label, tick.x, this.#canvas.clientHeight - 4);
    }
    pen.strokeStyle = this.#palette.ink;
    this.#rule(layout.nowX, 0, bottom);
    pen.fillStyle = this.#palette.ink;
    pen.fillText("now", layout.nowX, this.#canvas.clientHeight - 4);
  }

  #rule(x: number, from: number, to: number): void {
    const pen = this.#context;
    pen.beginPath();
    pen.moveTo(Math.round(x) + 0.5, from);
    pen.lineTo(Math.round(x) + 0.5, to);
    pen.stroke();
  }

  #wave(lane: Lane, points: Waves["you"]): void {
    const pen = this.#context;
    const middle = this.#y(LANES[lane]);
    pen.fillStyle = this.#palette[lane];
    for (const { x, level } of points) {
      const height = 1 + level.value * (BAR - 6);
      pen.fillRect(x, middle - height / 2, 1.5, height);
    }
  }

  #bar(bar: Bar): void {
    const pen = this.#context;
    const top = this.#y(LANES[bar.lane]) - BAR / 2;
    pen.fillStyle = this.#palette[bar.lane];
    pen.strokeStyle = this.#palette[bar.lane];
    pen.lineWidth = 1.5;
    pen.beginPath();
    pen.roundRect(bar.x, top, bar.width, BAR, bar.kind === "talk" || bar.kind === "speaking" ? 4 : 0);
    if (bar.kind === "maybe" && this.#hatch !== null) {
      pen.clearRect(bar.x, top, bar.width, BAR);
      pen.fillStyle = this.#hatch;
      pen.fill();
      pen.stroke();
      return;
    }
    pen.globalAlpha = bar.kind === "waiting" ? 0.1 : 0.24;
    pen.fill();
    pen.globalAlpha = 1;
  }

  #mark(mark: Mark): void {
    const pen = this.#context;
    const middle = this.#y(LANES[mark.lane]);
    pen.fillStyle = this.#palette[mark.lane];
    pen.strokeStyle = this.#palette.ink;
    if (mark.kind === "end") pen.fillRect(mark.x - 1.5, middle - BAR * 0.7, 3, BAR * 1.4);
    if (mark.kind === "resume") this.#circle(mark.x, middle - BAR * 0.72);
    if (mark.kind === "cut") this.#slash(mark.x, middle);
  }

  #circle(x: number, y: number): void {
    const pen = this.#context;
    pen.lineWidth = 2;
    pen.strokeStyle = this.#palette.you;
    pen.beginPath();
    pen.arc(x, y, 4, 0, Math.PI * 2);
    pen.stroke();
  }

  #slash(x: number, y: number): void {
    const pen = this.#context;
    pen.lineWidth = 2.5;
    pen.beginPath();
    pen.moveTo(x - 5, y + BAR * 0.65);
    pen.lineTo(x + 5, y - BAR * 0.65);
    pen.stroke();
  }

  #bracket(bracket: Bracket): void {
    const pen = this.#context;
    const y = this.#y(ROWS[bracket.lane]);
    pen.strokeStyle = this.#palette[bracket.lane];
    pen.fillStyle = this.#palette.ink;
    pen.lineWidth = 1.5;
    pen.beginPath();
    pen.moveTo(bracket.from, y + 4);
    pen.lineTo(bracket.from, y);
    pen.lineTo(bracket.to, y);
    pen.lineTo(bracket.to, y + 4);
    pen.stroke();
    pen.font = `600 13px ${this.#palette.font}`;
    pen.textAlign = "center";
    if (bracket.labelX - LABEL_WIDTH / 2 >= GUTTER) pen.fillText(bracket.label, bracket.labelX, y - 5);
  }

  #hatchPattern(): CanvasPattern | null {
    const tile = document.createElement("canvas");
    tile.width = tile.height = 8;
    const pen = tile.getContext("2d");
    if (pen === null) return null;
    pen.strokeStyle = this.#palette.you;
    pen.lineWidth = 2;
    for (const shift of [-8, 0, 8]) {
      pen.beginPath();
      pen.moveTo(shift - 1, 9);
      pen.lineTo(shift + 9, -1);
      pen.stroke();
    }
    return this.#context.createPattern(tile, "repeat");
  }
}
