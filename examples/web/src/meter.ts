/** Measures how loud a track is, through Web Audio. */

import { createAudioAnalyser, type LocalAudioTrack, type RemoteAudioTrack, TrackEvent } from "livekit-client";

type AudioTrack = LocalAudioTrack | RemoteAudioTrack;
type Probe = ReturnType<typeof createAudioAnalyser>;

const SAMPLES = 1024;

function probe(track: AudioTrack): Probe {
  return createAudioAnalyser(track, { fftSize: SAMPLES, smoothingTimeConstant: 0 });
}

export class Meter {
  readonly #track: AudioTrack;
  readonly #samples = new Float32Array(SAMPLES);
  #probe: Probe;

  constructor(track: AudioTrack) {
    this.#track = track;
    this.#probe = probe(track);
    track.on(TrackEvent.Restarted, this.#restart);
  }

  /** Root mean square of the newest 20 ms or so, 0 to 1. */
  rms(): number {
    this.#probe.analyser.getFloatTimeDomainData(this.#samples);
    const power = this.#samples.reduce((sum, sample) => sum + sample * sample, 0);
    return Math.sqrt(power / this.#samples.length);
  }

  close(): void {
    this.#track.off(TrackEvent.Restarted, this.#restart);
    void this.#probe.cleanup();
  }

  /** A track that was restarted has another source: a new device, or the same one asked for anew. */
  readonly #restart = (): void => {
    void this.#probe.cleanup();
    this.#probe = probe(this.#track);
  };
}
