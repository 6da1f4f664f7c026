/** Queries at once. */
const mostAtOnce = 4;

interface Round<V> {
  readonly names: Set<string>;
  readonly answer: Promise<ReadonlyMap<string, V>>;
}

/**
 * Looks things up that may have changed in another process a moment ago: every answer comes from a query that began after it
 * was asked for, so that it knows all that was committed by then. Nothing is kept. However many ask, a few queries are on
 * their way; who comes meanwhile waits for the next one, together.
 */
export class FreshLookups<V> {
  #underWay = 0;
  #next: Round<V> | null = null;
  #begin: () => void = () => undefined;

  /** @param load What it does not find is not in its answer. Names are as `find` was given them, each once. */
  constructor(private readonly load: (names: readonly string[]) => Promise<ReadonlyMap<string, V>>) {}

  /** @returns null when there is none. Rejects as `load` does. */
  async find(name: string): Promise<V | null> {
    if (this.#underWay < mostAtOnce) return (await this.#run([name])).get(name) ?? null;
    this.#next ??= this.#round();
    this.#next.names.add(name);
    return (await this.#next.answer).get(name) ?? null;
  }

  #round(): Round<V> {
    const begun = new Promise<void>((resolve) => (this.#begin = resolve));
    const names = new Set<string>();
    return { names, answer: begun.then(() => this.#run([...names])) };
  }

  async #run(names: readonly string[]): Promise<ReadonlyMap<string, V>> {
    this.#underWay += 1;
    try {
      return await this.load(names);
    } finally {
      this.#underWay -= 1;
      if (this.#next !== null) {
        // From here on nobody joins it: it begins.
        this.#next = null;
        this.#begin();
      }
    }
  }
}
