import { LaneQueue, type LaneQueueBounds } from './lane-queue.js';

/** The bounds are those of all streams together. */
const unbounded: LaneQueueBounds = { maxRecords: Infinity, maxBytes: Infinity };

/**
 * Waiting deliveries of several streams under one bound, lowest rank first within each. Streams are served in turn, and
 * the fattest gives way when there is no room: so none keeps another out, however much of it comes first. Meant for a few
 * dozen streams: what asks for a turn looks at each of them.
 */
export class StreamQueues<T> {
  readonly #bounds: LaneQueueBounds;
  /** In the order of their next turns; none is empty. */
  readonly #queues = new Map<string, LaneQueue<T>>();
  #size = 0;
  #bytes = 0;

  constructor(bounds: LaneQueueBounds) {
    this.#bounds = bounds;
  }

  get size(): number {
    return this.#size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Those of which something waits. */
  streams(): Iterable<string> {
    return this.#queues.keys();
  }

  sizeOf(stream: string): number {
    return this.#queues.get(stream)?.size ?? 0;
  }

  bytesOf(stream: string): number {
    return this.#queues.get(stream)?.bytes ?? 0;
  }

  /** The one of a stream that would go next. */
  peek(stream: string): T | undefined {
    return this.#queues.get(stream)?.peek();
  }

  /** Of a stream, as they would go. */
  items(stream: string): Iterable<T> {
    return this.#queues.get(stream)?.items() ?? [];
  }

  /** Takes out those of `these` that are here. */
  takeOut(stream: string, these: ReadonlySet<T>): void {
    const queue = this.#queues.get(stream);
    if (queue === undefined) return;
    const { size, bytes } = queue;
    queue.takeOut(these);
    this.#count(queue.size - size, queue.bytes - bytes);
    if (queue.size === 0) this.#queues.delete(stream);
  }

  /** Whether a stream has so great a part of what is its even share of the room. */
  fills(stream: string, part: number): boolean {
    const queue = this.#queues.get(stream);
    if (queue === undefined) return false;
    const share = part / this.#queues.size;
    return queue.size >= this.#bounds.maxRecords * share || queue.bytes >= this.#bounds.maxBytes * share;
  }

  /**
   * Adds an item. Less room than before takes nothing away: only as much gives way as the newcomer takes.
   * @param most of all streams, besides the bounds
   * @returns what has no room now: the last of whichever stream is the fattest with the item, which may be the item itself
   */
  offer(stream: string, item: T, bytes: number, rank: number, most = Infinity): readonly T[] {
    const maxRecords = Math.max(Math.min(this.#bounds.maxRecords, most), this.#size);
    const maxBytes = Math.max(this.#bounds.maxBytes, this.#bytes);
    this.force(stream, item, bytes, rank);
    const displaced: T[] = [];
    // One that is alone fits, whatever its size: else it would never go out.
    while (this.#size > 1 && (this.#size > maxRecords || this.#bytes > maxBytes)) {
      const last = this.#pop(this.#fattest(stream));
      if (last === undefined) break;
      displaced.push(last);
    }
    return displaced;
  }

  /** Adds an item beyond the bounds. */
  force(stream: string, item: T, bytes: number, rank: number): void {
    let queue = this.#queues.get(stream);
    if (queue === undefined) this.#queues.set(stream, (queue = new LaneQueue(unbounded)));
    queue.force(item, bytes, rank);
    this.#size += 1;
    this.#bytes += bytes;
  }

  /** Takes the first of the stream whose turn it is, of those that may go. */
  take(mayGo: (stream: string) => boolean): T | undefined {
    for (const [stream, queue] of this.#queues) {
      if (!mayGo(stream)) continue;
      this.#queues.delete(stream);
      const before = queue.bytes;
      const item = queue.shift();
      this.#count(-1, queue.bytes - before);
      if (queue.size > 0) this.#queues.set(stream, queue);
      return item;
    }
    return undefined;
  }

  /** The least of what is said of each stream; Infinity without any. */
  least(of: (stream: string) => number): number {
    let least = Infinity;
    for (const stream of this.#queues.keys()) least = Math.min(least, of(stream));
    return least;
  }

  /** Takes the item that the fattest stream would send last. */
  pop(): T | undefined {
    return this.#pop(this.#fattest(undefined));
  }

  /** Takes an item out, wherever it stands; false when it is not there. @param rank that it was added with */
  remove(stream: string, item: T, rank: number): boolean {
    const queue = this.#queues.get(stream);
    if (queue === undefined) return false;
    const before = queue.bytes;
    if (!queue.remove(item, rank)) return false;
    this.#count(-1, queue.bytes - before);
    if (queue.size === 0) this.#queues.delete(stream);
    return true;
  }

  /** Takes all of a stream, in its order. */
  takeAll(stream: string): readonly T[] {
    const items: T[] = [];
    const queue = this.#queues.get(stream);
    if (queue === undefined) return items;
    this.#queues.delete(stream);
    this.#count(-queue.size, -queue.bytes);
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) items.push(item);
    return items;
  }

  clear(): void {
    this.#queues.clear();
    this.#size = this.#bytes = 0;
  }

  /** @param first wins among equals: else two streams would push each other's out in turn */
  #fattest(first: string | undefined): string | undefined {
    let fattest = first !== undefined && this.#queues.has(first) ? first : undefined;
    let bytes = fattest === undefined ? -1 : (this.#queues.get(fattest)?.bytes ?? -1);
    for (const [stream, queue] of this.#queues) {
      if (queue.bytes <= bytes) continue;
      fattest = stream;
      bytes = queue.bytes;
    }
    return fattest;
  }

  #pop(stream: string | undefined): T | undefined {
    const queue = stream === undefined ? undefined : this.#queues.get(stream);
    if (stream === undefined || queue === undefined) return undefined;
    const before = queue.bytes;
    const item = queue.pop();
    this.#count(-1, queue.bytes - before);
    if (queue.size === 0) this.#queues.delete(stream);
    return item;
  }

  #count(items: number, bytes: number): void {
    this.#size += items;
    this.#bytes += bytes;
  }
}
