interface Timer {
  readonly at: number;
  readonly nth: number;
  task: (() => void) | null;
}

const epoch = Date.UTC(2026, 0, 1);

/**
 * Time of a simulated world, in ms since its start. It passes only in `run`, from one task to the next, and all promises
 * settle between two tasks.
 */
export class VirtualTime {
  #elapsed = 0;
  #nth = 0;
  /** A binary heap, the earliest on top. */
  readonly #heap: Timer[] = [];

  get elapsed(): number {
    return this.#elapsed;
  }

  /** Unix milliseconds. */
  now(): number {
    return epoch + this.#elapsed;
  }

  /** Runs `task` once, in `ms` milliseconds; those of one moment in the order of the calls. @returns how to call it off */
  schedule(ms: number, task: () => void): () => void {
    const timer: Timer = { at: this.#elapsed + Math.max(0, Math.ceil(ms)), nth: this.#nth++, task };
    this.#push(timer);
    return () => {
      timer.task = null;
    };
  }

  /** Lets time pass up to that moment, or until `over` says so after a task. */
  async run(until: number, over: () => boolean = () => false): Promise<void> {
    await settled();
    for (let next = this.#heap[0]; next !== undefined && next.at <= until; next = this.#heap[0]) {
      this.#pop();
      const { task } = next;
      if (task === null) continue;
      this.#elapsed = next.at;
      task();
      await settled();
      if (over()) return;
    }
    this.#elapsed = Math.max(this.#elapsed, until);
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(timer);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || isBefore(above, timer)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = timer;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      let below = heap[child];
      if (below === undefined) break;
      const right = heap[child + 1];
      if (right !== undefined && isBefore(right, below)) {
        child += 1;
        below = right;
      }
      if (isBefore(last, below)) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.nth < b.nth);
}

/**
 * All that promises lead to has happened. Node runs what nextTick was given only when no promise is left to settle, also
 * when it was given from within one; that is a hundred times cheaper than a turn of the event loop.
 */
function settled(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}
