/**
 * Jobs by key, taken in turn: each key gets its turn before any gets a second one, and a key whose jobs were taken gets no
 * further turn until it is released. Within a key the order is kept.
 */
export class FairQueue<T> {
  readonly #waiting = new Map<string, T[]>();
  /** Keys that wait for their turn, in the order of their turns: those that have jobs and are not taken. */
  readonly #turns = new Set<string>();
  readonly #taken = new Set<string>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(key: string, job: T): void {
    this.#add(key, [job], 'last');
  }

  /** @returns up to `most` jobs of the key whose turn it is, or null when none may be taken. */
  take(most: number): { readonly key: string; readonly jobs: readonly T[] } | null {
    const [key] = this.#turns;
    if (key === undefined) return null;
    const waiting = this.#waiting.get(key) ?? [];
    const jobs = waiting.splice(0, most);
    if (waiting.length === 0) this.#waiting.delete(key);
    this.#turns.delete(key);
    this.#taken.add(key);
    this.#size -= jobs.length;
    return { key, jobs };
  }

  /** A key's jobs are done, but for `left`, which go before those that have come meanwhile. */
  release(key: string, left: readonly T[] = []): void {
    this.#taken.delete(key);
    if (left.length > 0) this.#add(key, left, 'first');
    else if (this.#waiting.has(key)) this.#turns.add(key);
  }

  /** Everything that waits, which does not wait any more. */
  clear(): readonly T[] {
    const all = [...this.#waiting.values()].flat();
    this.#waiting.clear();
    this.#turns.clear();
    this.#size = 0;
    return all;
  }

  #add(key: string, jobs: readonly T[], place: 'first' | 'last'): void {
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) this.#waiting.set(key, [...jobs]);
    else if (place === 'first') waiting.unshift(...jobs);
    else waiting.push(...jobs);
    this.#size += jobs.length;
    if (!this.#taken.has(key)) this.#turns.add(key);
  }
}
