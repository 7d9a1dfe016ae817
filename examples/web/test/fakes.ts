/** A livekit-client whose rooms the test plays, and a view that keeps what was last shown. */

import type { RoomEvent } from "livekit-client";
import { App } from "../src/app";
import type { View } from "../src/view";

type Heard = (...told: unknown[]) => void;

/** A step of joining that waits until the test says how it ends. */
class Step {
  begun = false;
  #resolve: () => void = () => undefined;
  #reject: (why: Error) => void = () => undefined;
  readonly #end = new Promise<void>((resolve, reject) => {
    this.#resolve = resolve;
    this.#reject = reject;
  });

  wait(): Promise<void> {
    this.begun = true;
    return this.#end;
  }

  async succeed(): Promise<void> {
    this.#resolve();
    await settled();
  }

  async fail(why: Error): Promise<void> {
    this.#reject(why);
    await settled();
  }
}

export class FakeRoom {
  /** All there have been, the oldest first. */
  static readonly all: FakeRoom[] = [];

  readonly connecting = new Step();
  readonly prompt = new Step();
  readonly publishing = new Step();
  readonly unmuting = new Step();
  readonly remoteParticipants = new Map();
  readonly localParticipant = {
    identity: "visitor-1",
    isMicrophoneEnabled: false,
    createTracks: () => this.#capture(),
    publishTrack: () => this.publishing.wait(),
    setMicrophoneEnabled: () => this.unmuting.wait(),
  };
  canPlaybackAudio = true;
  isConnected = false;
  isRecording = false;
  readonly #heard = new Map<RoomEvent, Heard>();

  constructor() {
    FakeRoom.all.push(this);
  }

  on(event: RoomEvent, heard: Heard): this {
    this.#heard.set(event, heard);
    return this;
  }

  registerTextStreamHandler(): void {}

  async connect(): Promise<void> {
    await this.connecting.wait();
    this.isConnected = true;
  }

  async disconnect(): Promise<void> {
    this.isConnected = false;
  }

  tell(event: RoomEvent, ...told: unknown[]): void {
    this.#heard.get(event)?.(...told);
  }

  async #capture(): Promise<{ stop(): void }[]> {
    await this.prompt.wait();
    this.isRecording = true;
    return [{ stop: () => (this.isRecording = false) }];
  }
}

export class FakeView {
  readonly canvas = null;
  phase = "before";
  status = "";
  alert: string | null = null;
  hint = "";
  offersSound = false;

  showPhase(phase: string): void {
    this.phase = phase;
  }
  showStatus(words: string): void {
    this.status = words;
  }
  showAlert(words: string | null): void {
    this.alert = words;
  }
  showCaptions(_captions: unknown, hint: string): void {
    this.hint = hint;
  }
  showSoundBlocked(blocked: boolean): void {
    this.offersSound = blocked;
  }
  showMuted(): void {}
  showLevel(): void {}
  showTurnState(): void {}
  showAgent(): void {}
  showLog(): void {}
  clearLog(): void {}
}

/** A page with a view to look at; its painter is to be mocked. */
export function fakePage(): { app: App; view: FakeView } {
  const view = new FakeView();
  return { app: new App(view as unknown as View), view };
}

/** Let everything that is due happen. */
export function settled(): Promise<void> {
  return new Promise((done) => setTimeout(done));
}
