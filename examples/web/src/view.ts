/** Puts the page's state on the page. Holds no state of its own but what it last showed. */

import { type Captions, type Line, latest } from "./captions";
import { seconds } from "./layout";
import type { Delays, TurnState } from "./timeline";
import type { Phase } from "./words";

const AGENT_WORDS: Record<string, string> = {
  initializing: "The agent is getting ready",
  listening: "",
  idle: "",
  thinking: "The agent is thinking",
  speaking: "",
};

/** A lead that is shorter than this is of no use to anybody and is not shown. */
const NOTEWORTHY_MS = 20;

/** A log scrolled as near to its end as this counts as read to the end: browsers round the position. */
const AT_END_PX = 4;

const IN_ROOM: ReadonlySet<Phase> = new Set(["waiting", "live", "reconnecting"]);

export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`The page has no element "${id}".`);
  return element as T;
}

export class View {
  readonly join = byId<HTMLButtonElement>("join");
  readonly mute = byId<HTMLButtonElement>("mute");
  readonly leave = byId<HTMLButtonElement>("leave");
  readonly sound = byId<HTMLButtonElement>("sound");
  readonly canvas = byId<HTMLCanvasElement>("timeline");
  readonly #rows = new Map<string, HTMLLIElement>();
  readonly #calm = matchMedia("(prefers-reduced-motion: reduce)");
  readonly #log = byId("log");
  #following = true;
  #scrolledTo = 0;

  constructor() {
    this.#log.addEventListener("scroll", () => this.#isFollowing());
    // It gets smaller where the captions above it need more room, and its rows higher when the font has come.
    const sizes = new ResizeObserver(() => {
      if (this.#isFollowing()) this.#followLog();
    });
    sizes.observe(this.#log);
    sizes.observe(byId("rows"));
  }

  /** Show a phase; the focus follows to the button that now matters. */
  showPhase(phase: Phase): void {
    const was = document.body.dataset.phase as Phase | undefined;
    document.body.dataset.phase = phase;
    const inRoom = IN_ROOM.has(phase);
    byId("welcome").hidden = inRoom;
    byId("stage").hidden = !inRoom;
    byId("controls").hidden = !inRoom;
    byId("conversation").hidden = !inRoom && this.#rows.size === 0;
    document.body.classList.toggle("visited", this.#rows.size > 0);
    // Not `disabled`: that would take the focus away, and nothing would give it back when joining fails.
    this.join.ariaDisabled = String(phase === "joining");
    this.join.textContent = phase === "joining" ? "Joining…" : this.#rows.size > 0 ? "Join again" : "Start talking";
    if (was !== undefined && IN_ROOM.has(was) !== inRoom) (inRoom ? this.mute : this.join).focus();
  }

  showStatus(words: string): void {
    setText(byId("status"), words);
  }

  showAlert(words: string | null): void {
    const alert = byId("alert");
    alert.hidden = words === null;
    setText(alert, words ?? "");
  }

  showMuted(muted: boolean): void {
    this.mute.textContent = muted ? "Unmute" : "Mute";
    document.body.classList.toggle("muted", muted);
  }

  /** Offer to turn on the sound; a focus on a button that goes away moves to its neighbour. */
  showSoundBlocked(blocked: boolean): void {
    if (!blocked && document.activeElement === this.sound) this.mute.focus();
    this.sound.hidden = !blocked;
  }

  /** Show how loud the visitor is, 0 to 1; to visitors who ask for less motion, only whether anything is heard. */
  showLevel(level: number, heard: boolean): void {
    const shown = this.#calm.matches ? Number(heard) : Math.min(1, level * 6);
    byId("level").style.transform = `scaleX(${shown.toFixed(2)})`;
  }

  /** Show where the visitor's turn stands, and tell a screen reader of each change. */
  showTurnState(state: TurnState): void {
    const was = document.body.dataset.turn as TurnState | undefined;
    if (was === state) return;
    document.body.dataset.turn = state;
    setText(byId("turn-news"), IN_ROOM.has(document.body.dataset.phase as Phase) ? turnWords(was, state) : "");
    for (const item of byId("states").querySelectorAll("li")) {
      if (item.dataset.state === state) item.setAttribute("aria-current", "step");
      else item.removeAttribute("aria-current");
    }
  }

  /** The big captions: what you say now, and what the agent answers. */
  showCaptions(captions: Captions, hint: string): void {
    const you = latest(captions, "you");
    const agent = latest(captions, "agent");
    const caption = byId("caption");
    setWords(caption, you?.text ?? "");
    caption.classList.toggle("final", you?.final ?? true);
    if (you === null) setText(caption, hint);
    caption.classList.toggle("hint", you === null);
    const answered = agent !== null && (you === null || captions.lines.indexOf(agent) > captions.lines.indexOf(you));
    setText(byId("reply"), answered ? agent.text : "");
  }

  showAgent(state: string): void {
    byId("reply").dataset.waiting = AGENT_WORDS[state] ?? "";
  }

  /**
   * One row a line, added once it is final so that a screen reader reads each line once and whole. The log follows the
   * newest row for a reader who is at its end, and stands still for one who has scrolled up.
   */
  showLog(captions: Captions, delaysOf: (turn: number) => Delays): void {
    const following = this.#isFollowing();
    for (const line of captions.lines.filter((one) => one.final)) {
      const key = `${line.who} ${line.id}`;
      const row = this.#rows.get(key) ?? this.#addRow(key, line);
      const figures = line.who === "you" && line.turn !== null ? figureWords(delaysOf(line.turn)) : "";
      const place = row.querySelector<HTMLElement>(".figures");
      if (place !== null) setText(place, figures);
    }
    if (following) this.#followLog();
  }

  /** Whether the reader is at the log's end, or was before it grew: only scrolling up leaves it. */
  #isFollowing(): boolean {
    const { scrollHeight, clientHeight, scrollTop } = this.#log;
    if (scrollHeight - clientHeight - scrollTop < AT_END_PX) this.#following = true;
    else if (scrollTop < this.#scrolledTo - AT_END_PX) this.#following = false;
    return this.#following;
  }

  #followLog(): void {
    this.#log.scrollTop = this.#log.scrollHeight;
    this.#scrolledTo = this.#log.scrollTop;
  }

  clearLog(): void {
    byId("rows").replaceChildren();
    this.#rows.clear();
  }

  #addRow(key: string, line: Line): HTMLLIElement {
    const row = document.createElement("li");
    row.className = line.who;
    row.append(span("who", line.who === "you" ? "You" : "Agent"), span("text", line.text), span("figures", ""));
    byId("rows").append(row);
    this.#rows.set(key, row);
    return row;
  }
}

/** What a screen reader says as the visitor's turn goes from one state to the next. */
function turnWords(was: TurnState | undefined, state: TurnState): string {
  if (state === "speaking") return was === "maybe" ? "Your turn goes on." : "Your turn has begun.";
  if (state === "maybe") return "Your turn may be over.";
  return state === "done" ? "Your turn is over." : "";
}

/** The delays of a turn in a line: `turn over after 0.42 s · reply after 0.81 s`. */
export function figureWords(delays: Delays): string {
  const parts: string[] = [];
  if (delays.stop !== null) parts.push(`agent stopped after ${seconds(delays.stop)}`);
  if (delays.end !== null) parts.push(`turn over after ${seconds(delays.end)}`);
  if (delays.lead !== null && delays.lead >= NOTEWORTHY_MS) parts.push(`foreseen ${seconds(delays.lead)} earlier`);
  if (delays.reply !== null) parts.push(`reply heard after ${seconds(delays.reply)}`);
  return parts.join(" · ");
}

function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Show words one element each, keeping those already there, so that only new ones appear anew. */
function setWords(element: HTMLElement, text: string): void {
  const words = text.split(/\s+/).filter((word) => word !== "");
  if (!element.firstElementChild) element.textContent = "";
  words.forEach((word, index) => {
    const shown = element.children[index];
    if (shown === undefined) element.append(span("word", `${word} `));
    else if (shown.textContent !== `${word} `) shown.textContent = `${word} `;
  });
  while (element.children.length > words.length) element.lastElementChild?.remove();
}

function span(className: string, text: string): HTMLSpanElement {
  const element = document.createElement("span");
  element.className = className;
  element.textContent = text;
  return element;
}
