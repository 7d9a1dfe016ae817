/** What the visitor must be told: at most one sentence for each subject. The page shows the weightiest of them. */

const SUBJECTS = ["visit", "microphone", "sound", "agent"] as const;

/** What a sentence is about, the weightiest first. */
export type Subject = (typeof SUBJECTS)[number];

export class Alerts {
  readonly #words = new Map<Subject, string>();

  /** Say something about a subject, or with null that all is well with it again. */
  set(subject: Subject, words: string | null): void {
    if (words === null) this.#words.delete(subject);
    else this.#words.set(subject, words);
  }

  clear(): void {
    this.#words.clear();
  }

  has(subject: Subject): boolean {
    return this.#words.has(subject);
  }

  /** The sentence to show, if any. */
  get shown(): string | null {
    const subject = SUBJECTS.find((one) => this.#words.has(one));
    return subject === undefined ? null : (this.#words.get(subject) ?? null);
  }
}
