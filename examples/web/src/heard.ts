/** When somebody is heard, from how loud they are: speech has pauses, so silence counts only once it lasts. */

const THRESHOLD = 0.012;
const PAUSE_MS = 450;

export interface Heard {
  readonly speaking: boolean;
  /** When the present state began: silence is dated back to the last sound. */
  readonly since: number;
  readonly lastSound: number;
}

export const SILENT: Heard = { speaking: false, since: 0, lastSound: -Infinity };

/** Take in one loudness (root mean square, 0 to 1) measured at `now`. */
export function hear(heard: Heard, rms: number, now: number): Heard {
  if (rms >= THRESHOLD) {
    return { speaking: true, since: heard.speaking ? heard.since : now, lastSound: now };
  }
  if (heard.speaking && now - heard.lastSound > PAUSE_MS) {
    return { speaking: false, since: heard.lastSound, lastSound: heard.lastSound };
  }
  return heard;
}
