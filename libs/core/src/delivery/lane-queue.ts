export interface LaneQueueBounds {
  readonly maxRecords: number;
  readonly maxBytes: number;
}

/** A lane's waiting deliveries: first in, first out, bounded by records and by bytes. */
export class LaneQueue<T> {
  readonly #bounds: LaneQueueBounds;
  #items: { readonly item: T; readonly bytes: number }[] = [];
  #head = 0;
  #bytes = 0;

  constructor(bounds: LaneQueueBounds) {
    this.#bounds = bounds;
  }

  get size(): number {
    return this.#items.length - this.#head;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Adds at the end; false when it does not fit. An empty queue takes an item of any size: else it would never go out. */
  offer(item: T, bytes: number): boolean {
    const { maxRecords, maxBytes } = this.#bounds;
    if (this.size > 0 && (this.size >= maxRecords || this.#bytes + bytes > maxBytes)) return false;
    this.#items.push({ item, bytes });
    this.#bytes += bytes;
    return true;
  }

  peek(): T | undefined {
    return this.#items[this.#head]?.item;
  }

  shift(): T | undefined {
    const first = this.#items[this.#head];
    if (first === undefined) return undefined;
    this.#head += 1;
    this.#bytes -= first.bytes;
    // What was taken is let go of in one go, now and then: shifting an array each time would cost its length.
    if (this.#head > 64 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    } else if (this.#head === this.#items.length) {
      this.#items.length = 0;
      this.#head = 0;
    }
    return first.item;
  }
}
