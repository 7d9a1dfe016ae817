/** The page's state and what changes it: the one place where the room, the models and the view meet. */

import type { DisconnectReason } from "livekit-client";
import { Alerts, type Subject } from "./alerts";
import { addSegment, type Captions, NO_CAPTIONS, type Segment, settle as settleCaptions } from "./captions";
import { BEGAN, play, WORTH_SEEING_MS } from "./example";
import { hear, type Heard, SILENT } from "./heard";
import { layout, type View as Window, xOf } from "./layout";
import { type Level, Levels } from "./levels";
import { GUTTER, Painter, type Waves } from "./paint";
import type { Agent } from "./people";
import type { SessionListener } from "./session";
import * as model from "./timeline";
import type { TurnEvent } from "./turn-events";
import type { View } from "./view";
import { HINTS, MICROPHONE_LOST, NO_AGENT, OTHERS_TURN, type Phase, PHASE_WORDS, reasonWords, SOUND_BLOCKED } from "./words";

const MS_PER_PIXEL = 28;
const MOST_SHOWN_MS = 32_000;
/** An agent that is not here after this time may never come, and nothing else would say so. */
const AGENT_EXPECTED_WITHIN_MS = 20_000;

export class App implements SessionListener {
  readonly #view: View;
  readonly #painter: Painter;
  readonly #clock: () => number;
  readonly #alerts = new Alerts();
  #levels = { you: new Levels(), agent: new Levels() };
  #captions: Captions = NO_CAPTIONS;
  #timeline: model.Timeline = model.NO_TIMELINE;
  #heard: Heard = SILENT;
  #heardYou: Heard = SILENT;
  #phase: Phase = "before";
  #agent: string | null = null;
  #agentHearsAnother = false;
  #muted = false;
  #patience: ReturnType<typeof setTimeout> | undefined;
  #now: () => number;

  constructor(view: View, now: () => number = () => performance.timeOrigin + performance.now()) {
    this.#view = view;
    this.#clock = this.#now = now;
    this.#painter = new Painter(view.canvas);
  }

  get inRoom(): boolean {
    return this.#phase === "waiting" || this.#phase === "live" || this.#phase === "reconnecting";
  }

  get isJoining(): boolean {
    return this.#phase === "joining";
  }

  /** Whether the timeline stands still: before a visit, and after it. */
  get isStill(): boolean {
    return this.#now !== this.#clock;
  }

  setPhase(phase: Phase): void {
    if (phase !== this.#phase) this.#waitForAgent(phase === "waiting");
    this.#phase = phase;
    this.#view.showPhase(phase);
    if (phase === "joining" || phase === "left") this.#alerts.clear();
    this.#show();
  }

  fail(words: string): void {
    this.#settle();
    this.setPhase("failed");
    this.alert("visit", words);
  }

  /** There was no visit: the page is again as it was before, and says why. */
  couldNotJoin(words: string): void {
    this.#settle();
    this.showExample();
    this.setPhase("before");
    this.alert("visit", words);
  }

  /** Tell the visitor about a subject, until null says that all is well with it again. */
  alert(about: Subject, words: string | null): void {
    this.#alerts.set(about, words);
    this.#show();
  }

  left(): void {
    this.#settle();
    this.setPhase("left");
  }

  /** A new visit begins, to the same agent or to another whose turns are numbered anew and whose clock is its own. */
  begin(): void {
    this.#now = this.#clock;
    this.#timeline = model.NO_TIMELINE;
    this.#captions = NO_CAPTIONS;
    this.#heard = this.#heardYou = SILENT;
    this.#agentHearsAnother = this.#muted = false;
    this.#levels = { you: new Levels(), agent: new Levels() };
    this.#view.clearLog();
    this.#view.showMuted(false);
    this.setPhase("joining");
  }

  joined(): void {
    this.setPhase(this.#agent !== null ? "live" : "waiting");
  }

  onTurnEvent(event: TurnEvent, agent: string): void {
    const now = this.#now();
    this.#agentHearsAnother = false;
    this.#timeline = model.addEvent(this.#timeline, event, agent, now, this.#heardYou.lastSound);
    // At once: a state may be over before the next drawing, which comes late if the visitor asks for less motion.
    this.#view.showTurnState(model.turnState(this.#timeline, now));
    this.#show();
  }

  onOthersTurn(here: boolean): void {
    this.#timeline = model.closeTurns(this.#timeline, this.#now());
    this.#agentHearsAnother = here;
    this.#show();
  }

  onOtherLeft(): void {
    this.#agentHearsAnother = false;
    this.#show();
  }

  onSegment(segment: Segment): void {
    this.#captions = addSegment(this.#captions, segment, model.currentTurn(this.#timeline));
    this.#show();
  }

  onAgent(agent: Agent | null): void {
    // An agent that is gone or replaced in mid-turn can't say any more that the turn is over.
    if (this.#agent !== null && this.#agent !== agent?.id) {
      this.#closeAll(this.#now());
      this.#agentHearsAnother = false;
    }
    this.#agent = agent?.id ?? null;
    this.#view.showAgent(agent?.state ?? "idle");
    if (this.#phase === "waiting" || this.#phase === "live") this.joined();
  }

  onReconnecting(): void {
    if (this.inRoom) this.setPhase("reconnecting");
  }

  onReconnected(): void {
    if (this.inRoom) this.joined();
  }

  onDisconnected(reason: DisconnectReason | undefined): void {
    this.fail(reasonWords(reason));
  }

  onSoundBlocked(blocked: boolean): void {
    this.#view.showSoundBlocked(blocked);
    this.alert("sound", blocked ? SOUND_BLOCKED : null);
  }

  onMuted(muted: boolean, byVisitor: boolean): void {
    this.#muted = muted;
    this.#view.showMuted(muted);
    this.alert("microphone", muted && !byVisitor ? MICROPHONE_LOST : null);
  }

  /** Note how loud both sides are (root mean square, 0 to 1). */
  measure(levels: { you: number; agent: number }): void {
    const now = this.#now();
    this.#levels.you.add(now, levels.you * 4);
    this.#levels.agent.add(now, levels.agent * 4);
    this.#heardYou = hear(this.#heardYou, levels.you, now);
    this.#view.showLevel(levels.you, this.#heardYou.speaking);
    const heard = hear(this.#heard, levels.agent, now);
    if (heard.speaking !== this.#heard.speaking) {
      this.#timeline = model.setAgentSpeaking(this.#timeline, heard.speaking, heard.since);
      this.#show();
    }
    this.#heard = heard;
  }

  /** Draw the timeline as it stands at this moment. */
  draw(): void {
    const width = this.#painter.width;
    const span = Math.min((width - GUTTER) * MS_PER_PIXEL, MOST_SHOWN_MS);
    const window = { now: this.#now(), left: GUTTER, width, span };
    this.#painter.paint(layout(this.#timeline, window), this.#waves(window));
    this.#view.showTurnState(model.turnState(this.#timeline, window.now));
  }

  /** Show a made-up conversation in the timeline, standing still; `begin` clears it away. */
  showExample(): void {
    const clock = { now: BEGAN };
    this.#now = () => clock.now;
    const audience = {
      onTurnEvent: (event: TurnEvent, agent: string) => this.onTurnEvent(event, agent),
      onSegment: () => undefined,
      measure: (levels: { you: number; agent: number }) => this.measure(levels),
    };
    play(audience, WORTH_SEEING_MS, clock);
    this.#view.showLevel(0, false);
  }

  themeChanged(): void {
    this.#painter.refresh();
    this.draw();
  }

  /** Close what is open, and let the timeline stand still. */
  #settle(): void {
    const now = this.#now();
    this.#now = () => now;
    this.#closeAll(now);
    this.#heardYou = SILENT;
    this.#view.showSoundBlocked(false);
  }

  #closeAll(now: number): void {
    this.#timeline = model.settle(this.#timeline, now);
    this.#captions = settleCaptions(this.#captions);
    this.#heard = SILENT;
  }

  #waitForAgent(waiting: boolean): void {
    clearTimeout(this.#patience);
    this.#alerts.set("agent", null);
    if (waiting) this.#patience = setTimeout(() => this.alert("agent", NO_AGENT), AGENT_EXPECTED_WITHIN_MS);
  }

  #show(): void {
    this.#view.showLog(this.#captions, (turn) => model.delays(this.#timeline, turn));
    this.#view.showStatus(this.#isBusy ? OTHERS_TURN : PHASE_WORDS[this.#phase]);
    // They tell the visitor to use the controls, which are hidden while joining.
    this.#view.showAlert(this.isJoining ? null : this.#alerts.shown);
    this.#view.showCaptions(this.#captions, this.#hint());
  }

  get #isBusy(): boolean {
    return this.#phase === "live" && this.#agentHearsAnother;
  }

  #hint(): string {
    if (this.#phase === "reconnecting") return HINTS.reconnecting;
    if (this.#phase === "waiting") return this.#alerts.has("agent") ? HINTS.alone : HINTS.waiting;
    if (this.#isBusy) return HINTS.busy;
    return this.#muted ? HINTS.muted : HINTS.live;
  }

  #waves(window: Window): Waves {
    const place = (level: Level): { x: number; level: Level } => ({ x: xOf(window, level.at), level });
    const since = window.now - window.span;
    return {
      you: this.#levels.you.since(since).map(place),
      agent: this.#levels.agent.since(since).map(place),
    };
  }
}
