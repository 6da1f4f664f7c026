export interface LaneQueueBounds {
  readonly maxRecords: number;
  readonly maxBytes: number;
}

interface Slot<T> {
  readonly item: T;
  readonly bytes: number;
  readonly rank: number;
}

/**
 * Waiting deliveries, lowest rank first and, among equals, in the order they came; bounded by records and by bytes. With
 * ranks that come in rising order, as nearly all do, or without ranks, it is a plain queue.
 */
export class LaneQueue<T> {
  readonly #bounds: LaneQueueBounds;
  #slots: Slot<T>[] = [];
  #head = 0;
  #bytes = 0;

  constructor(bounds: LaneQueueBounds) {
    this.#bounds = bounds;
  }

  get size(): number {
    return this.#slots.length - this.#head;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Adds an item; false when it does not fit. An empty queue takes an item of any size: else it would never go out. */
  offer(item: T, bytes: number, rank = 0): boolean {
    const { maxRecords, maxBytes } = this.#bounds;
    if (this.size > 0 && (this.size >= maxRecords || this.#bytes + bytes > maxBytes)) return false;
    this.force(item, bytes, rank);
    return true;
  }

  /** Whether there is more in it than fits. */
  get overflows(): boolean {
    const { maxRecords, maxBytes } = this.#bounds;
    return this.size > 1 && (this.size > maxRecords || this.#bytes > maxBytes);
  }

  /** Adds an item beyond the bounds. */
  force(item: T, bytes: number, rank = 0): void {
    const slot = { item, bytes, rank };
    this.#bytes += bytes;
    const last = this.#slots.at(-1);
    if (last === undefined || last.rank <= rank) this.#slots.push(slot);
    else this.#slots.splice(this.#firstAbove(rank), 0, slot);
  }

  peek(): T | undefined {
    return this.#slots[this.#head]?.item;
  }

  /** As they would go. */
  *items(): Iterable<T> {
    for (let at = this.#head; at < this.#slots.length; at += 1) {
      const slot = this.#slots[at];
      if (slot !== undefined) yield slot.item;
    }
  }

  /** Takes out those of `these` that are here: for as good as nothing if they are the first. */
  takeOut(these: ReadonlySet<T>): void {
    let left = these.size;
    for (let first = this.peek(); first !== undefined && left > 0 && these.has(first); first = this.peek()) {
      this.shift();
      left -= 1;
    }
    if (left === 0 || this.size === 0) return;
    this.#slots = this.#slots.slice(this.#head).filter(({ item, bytes }) => {
      if (!these.has(item)) return true;
      this.#bytes -= bytes;
      return false;
    });
    this.#head = 0;
  }

  shift(): T | undefined {
    const first = this.#slots[this.#head];
    if (first === undefined) return undefined;
    this.#head += 1;
    this.#bytes -= first.bytes;
    // What was taken is let go of in one go, now and then: shifting an array each time would cost its length.
    if (this.#head > 64 && this.#head * 2 > this.#slots.length) {
      this.#slots = this.#slots.slice(this.#head);
      this.#head = 0;
    } else if (this.#head === this.#slots.length) {
      this.#slots.length = 0;
      this.#head = 0;
    }
    return first.item;
  }

  /** Takes the item that would go last. */
  pop(): T | undefined {
    if (this.size === 0) return undefined;
    const last = this.#slots.pop();
    this.#bytes -= last?.bytes ?? 0;
    if (this.size === 0) this.#slots.length = this.#head = 0;
    return last?.item;
  }

  /** Takes an item out, wherever it stands; false when it is not there. @param rank that it was added with */
  remove(item: T, rank = 0): boolean {
    if (this.peek() === item) return this.shift() !== undefined;
    for (let at = this.#firstAbove(rank) - 1; at >= this.#head; at -= 1) {
      const slot = this.#slots[at];
      if (slot === undefined || slot.rank !== rank) return false;
      if (slot.item !== item) continue;
      this.#slots.splice(at, 1);
      this.#bytes -= slot.bytes;
      return true;
    }
    return false;
  }

  #firstAbove(rank: number): number {
    let low = this.#head;
    let high = this.#slots.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#slots[middle]?.rank ?? Infinity) <= rank) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
