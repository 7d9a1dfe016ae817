/** How loud each side was, lately: one value a slice of time, for the waveforms under the timeline's bars. */

export const SLICE_MS = 60;

export interface Level {
  readonly at: number;
  /** 0 (silence) to 1 (loud). */
  readonly value: number;
}

/** A bounded history of loudness; the loudest sample of each slice is kept. */
export class Levels {
  readonly #kept: Level[] = [];
  readonly #capacity: number;

  constructor(capacity = 1000) {
    this.#capacity = capacity;
  }

  add(at: number, value: number): void {
    const slot = Math.floor(at / SLICE_MS) * SLICE_MS;
    const bounded = Math.min(1, Math.max(0, value));
    const last = this.#kept.at(-1);
    if (last?.at === slot) {
      this.#kept[this.#kept.length - 1] = { at: slot, value: Math.max(last.value, bounded) };
      return;
    }
    this.#kept.push({ at: slot, value: bounded });
    if (this.#kept.length > this.#capacity) this.#kept.shift();
  }

  since(from: number): readonly Level[] {
    return this.#kept.filter((level) => level.at >= from);
  }
}
