interface Answer<V> {
  /** Null: there is no such thing. */
  readonly value: V | null;
  readonly askedAt: number;
  readonly until: number;
}

/** How long "there is no such thing" holds, and how soon a registry that did not answer is asked again. */
const unknownMs = 10_000;
/** Names of unknown things come from outside; they must not fill the memory. */
const maxRemembered = 20_000;

/** What the registry has answered, by what was asked, each for its time. One request at a time for the same thing. */
export class Answers<K, V> {
  readonly #answers = new Map<K, Answer<V>>();
  readonly #underWay = new Map<K, Promise<V | null>>();
  readonly #monotonic: () => number;

  constructor(monotonic: () => number) {
    this.#monotonic = monotonic;
  }

  /** Fresh or not; undefined when it was never asked. */
  get(key: K): V | null | undefined {
    return this.#answers.get(key)?.value;
  }

  isFresh(key: K): boolean {
    const answer = this.#answers.get(key);
    // The clock is not looked at for what holds for ever: this is asked per event.
    return answer !== undefined && (answer.until === Number.POSITIVE_INFINITY || this.#monotonic() < answer.until);
  }

  /** Whether it was asked less than 10 s ago, so that it need not be asked again for what the answer lacks. */
  isRecent(key: K): boolean {
    const answer = this.#answers.get(key);
    return answer !== undefined && this.#monotonic() < answer.askedAt + unknownMs;
  }

  put(key: K, value: V | null, lastsMs: number): V | null {
    if (value === null && this.#answers.size >= maxRemembered) this.#dropUnknown();
    const askedAt = this.#monotonic();
    // Put at the end: a map keeps the order in which its keys came.
    this.#answers.delete(key);
    this.#answers.set(key, { value, askedAt, until: askedAt + (value === null ? unknownMs : lastsMs) });
    return value;
  }

  /** Keeps an answer for so much longer, because a newer one cannot be had, or is on its way. */
  prolong(key: K): void {
    const answer = this.#answers.get(key);
    const askedAt = this.#monotonic();
    if (answer !== undefined) this.#answers.set(key, { ...answer, askedAt, until: askedAt + unknownMs });
  }

  ask(key: K, load: () => Promise<V | null>): Promise<V | null> {
    const present = this.#underWay.get(key);
    if (present !== undefined) return present;
    const request = load().finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, request);
    return request;
  }

  /** Only the older half: the others may belong to the batch that is being prepared. */
  #dropUnknown(): void {
    let left = maxRemembered / 2;
    for (const [key, { value }] of this.#answers) {
      if (left === 0) return;
      if (value === null) this.#answers.delete(key);
      left -= 1;
    }
  }
}
