/** Measures how loud a track is, through Web Audio. */

import { createAudioAnalyser, type LocalAudioTrack, type RemoteAudioTrack } from "livekit-client";

export class Meter {
  readonly #analyser: AnalyserNode;
  readonly #cleanup: () => Promise<void>;
  readonly #samples: Float32Array<ArrayBuffer>;

  constructor(track: LocalAudioTrack | RemoteAudioTrack) {
    const { analyser, cleanup } = createAudioAnalyser(track, { fftSize: 1024, smoothingTimeConstant: 0 });
    this.#analyser = analyser;
    this.#cleanup = cleanup;
    this.#samples = new Float32Array(analyser.fftSize);
  }

  /** Root mean square of the newest 20 ms or so, 0 to 1. */
  rms(): number {
    this.#analyser.getFloatTimeDomainData(this.#samples);
    const power = this.#samples.reduce((sum, sample) => sum + sample * sample, 0);
    return Math.sqrt(power / this.#samples.length);
  }

  close(): void {
    void this.#cleanup();
  }
}
