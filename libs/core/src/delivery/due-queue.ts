interface Waiting<T> {
  readonly dueAt: number;
  readonly nth: number;
  readonly item: T;
}

/** Items that wait for their time, earliest first; of the same time in the order they came. A binary heap. */
export class DueQueue<T> {
  readonly #heap: Waiting<T>[] = [];
  #count = 0;

  get size(): number {
    return this.#heap.length;
  }

  /** Time of the earliest item; Infinity when empty. */
  get nextAt(): number {
    return this.#heap[0]?.dueAt ?? Infinity;
  }

  add(dueAt: number, item: T): void {
    const heap = this.#heap;
    const added: Waiting<T> = { dueAt, nth: this.#count++, item };
    let at = heap.length;
    heap.push(added);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !before(added, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = added;
  }

  /** Removes the earliest item if its time is at or before `now`. */
  takeDue(now: number): T | undefined {
    const heap = this.#heap;
    const first = heap[0];
    if (first === undefined || first.dueAt > now) return undefined;
    const last = heap.pop();
    if (last !== undefined && last !== first) this.#sink(last);
    return first.item;
  }

  #sink(item: Waiting<T>): void {
    const heap = this.#heap;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      let least = heap[child];
      const right = heap[child + 1];
      if (least !== undefined && right !== undefined && before(right, least)) {
        least = right;
        child += 1;
      }
      if (least === undefined || !before(least, item)) break;
      heap[at] = least;
      at = child;
    }
    heap[at] = item;
  }
}

const before = (a: Waiting<unknown>, b: Waiting<unknown>): boolean =>
  a.dueAt < b.dueAt || (a.dueAt === b.dueAt && a.nth < b.nth);
