import type { BatchConfig } from '#libs/contracts';
import { LaneQueue, liveStream, ShareBudget, StreamQueues, type LaneQueueBounds } from '#libs/core';
import type { Single } from './batch-record.js';
import { gatheredAt, merged, type Gathering } from './gathering.js';
import { sourceOf, type Source } from './work-source.js';

/** What a lane needs to know of a delivery. */
export interface Waiting {
  /** Offset in `deliveries`: the lower one goes first. */
  readonly pos: number;
  readonly bytes: number;
  readonly stream: string;
  /** When it was read (monotonic ms). */
  readonly since: number;
  /** Deliveries that it stands for. */
  readonly weight: number;
  /** As it is while it is in a lane. */
  readonly delivery: Single;
}

/** A test goes before everything else, and finds room in a full lane, up to so many. */
const mostTests = 16;
/** It was the head, and stays it. */
const headRank = -1;

const none: readonly never[] = [];

/**
 * What waits in a lane. Ready and blocked are bounded apart: followers that fill the lane must not keep out the head that
 * they wait for. Fresh, retries and other streams are too: a flood of one must not keep out the others' share.
 */
export class LaneWork<T extends Waiting> {
  readonly #bounds: LaneQueueBounds;
  /** First attempts of live events that may go. */
  readonly #fresh: LaneQueue<T>;
  /** Retries of live events that may go. */
  readonly #retries: LaneQueue<T>;
  /** What may go of other streams. */
  readonly #others: StreamQueues<T>;
  /** Beside all of this. */
  readonly #tests: LaneQueue<T>;
  /** Order does not let them go yet. */
  readonly #blocked: LaneQueue<T>;
  readonly #blockedOthers: StreamQueues<T>;
  readonly #budget = new ShareBudget();
  /** Where the last one was taken from. */
  #source: Source = 'fresh';
  /** Of old work, where the last one that was sent came from. */
  #sentOld: Source = 'other';

  constructor(bounds: LaneQueueBounds) {
    this.#bounds = bounds;
    this.#fresh = new LaneQueue(bounds);
    this.#retries = new LaneQueue(bounds);
    this.#others = new StreamQueues(bounds);
    this.#tests = new LaneQueue(bounds);
    this.#blocked = new LaneQueue(bounds);
    this.#blockedOthers = new StreamQueues(bounds);
  }

  get ready(): number {
    return this.readyLive + this.#others.size + this.#tests.size;
  }

  /** Whether a test is next: nothing but the rate and what is in flight holds it. */
  get hasTest(): boolean {
    return this.#tests.size > 0;
  }

  get blocked(): number {
    return this.#blocked.size + this.#blockedOthers.size;
  }

  /** Of the live stream, what may go … */
  get readyLive(): number {
    return this.#fresh.size + this.#retries.size;
  }

  /** … and all of it. */
  get live(): number {
    return this.readyLive + this.#blocked.size;
  }

  get hasFresh(): boolean {
    return this.#fresh.size > 0;
  }

  /** Whether nothing of a stream may go that is here. */
  isOut(stream: string): boolean {
    return stream === liveStream ? this.readyLive === 0 : this.#others.sizeOf(stream) === 0;
  }

  /** Whether what may go of another stream is such a part of its share of the room. */
  streamFills(stream: string, part: number): boolean {
    return this.#others.fills(stream, part);
  }

  /** Streams, apart from the live one, of which something waits. */
  otherStreams(): ReadonlySet<string> {
    return new Set([...this.#others.streams(), ...this.#blockedOthers.streams()]);
  }

  /** Takes out all that waits of another stream. */
  takeAll(stream: string): readonly T[] {
    return [...this.#others.takeAll(stream), ...this.#blockedOthers.takeAll(stream)];
  }

  /**
   * When the next one may go; Infinity with none.
   * @param at when one of another stream may, by its rate
   * @param batch what makes up a batch; null: each goes alone
   */
  nextAt(now: number, at: (stream: string) => number, batch: BatchConfig | null): number {
    if (this.hasTest || this.#retries.size > 0) return now;
    const freshAt = this.#gatheredAt(liveStream, batch, now);
    if (freshAt <= now) return now;
    return Math.min(
      freshAt,
      this.#others.least((stream) => Math.max(at(stream), this.#gatheredAt(stream, batch, now))),
    );
  }

  /** First attempts and what is blocked of a stream, by ascending pos. */
  waiting(stream: string): Iterable<T> {
    if (stream === liveStream) return merged(this.#fresh.items(), this.#blocked.items());
    return merged(this.#others.items(stream), this.#blockedOthers.items(stream));
  }

  /** Takes out those of `these` that are here. */
  takeOut(stream: string, these: ReadonlySet<T>): void {
    if (stream === liveStream) {
      this.#fresh.takeOut(these);
      this.#blocked.takeOut(these);
    } else {
      this.#others.takeOut(stream, these);
      this.#blockedOthers.takeOut(stream, these);
    }
  }

  /**
   * Adds what may go.
   * @param most of its kind, besides the bounds
   * @returns what has no room now: the item itself or, of other streams, one of another that has more than its share
   */
  offer(item: T, most: number): readonly T[] {
    const source = sourceOf(item);
    if (source === 'test') return this.#tests.size < mostTests && this.#tests.offer(item, item.bytes) ? none : [item];
    if (source === 'other') return this.#others.offer(item.stream, item, item.bytes, item.pos, most);
    const queue = source === 'fresh' ? this.#fresh : this.#retries;
    return queue.size < most && queue.offer(item, item.bytes, item.pos) ? none : [item];
  }

  /**
   * Adds what order does not let go yet. What is furthest behind gives way: were it to stay, those before it would come
   * round over and over, let in one at a time, while it waits for them.
   * @param most of them, besides the bounds
   * @returns what has no room now: others, or the item itself
   */
  offerBlocked(item: T, most: number): readonly T[] {
    const { stream } = item;
    if (stream !== liveStream) return this.#blockedOthers.offer(stream, item, item.bytes, item.pos, most);
    const queue = this.#blocked;
    // Less room than before takes nothing away: only the newcomer must find a place.
    const limit = Math.max(most, queue.size);
    queue.force(item, item.bytes, item.pos);
    if (!queue.overflows && queue.size <= limit) return none;
    const displaced: T[] = [];
    while (queue.overflows || queue.size > limit) {
      const last = queue.pop();
      if (last === undefined) break;
      displaced.push(last);
    }
    return displaced;
  }

  /** Order lets it go: it has its place, whatever else is ready. False when it was not blocked here. */
  unblock(item: T): boolean {
    if (!this.removeBlocked(item)) return false;
    this.#force(item, sourceOf(item), item.pos);
    return true;
  }

  /** False when it was not blocked here. */
  removeBlocked(item: T): boolean {
    if (this.blocked === 0) return false;
    const { stream } = item;
    if (stream !== liveStream) return this.#blockedOthers.remove(stream, item, item.pos);
    return this.#blocked.size > 0 && this.#blocked.remove(item, item.pos);
  }

  /**
   * Takes the next one to start: fresh before old, within old work's share; of that, retries and other streams in turn,
   * so that no replay's backlog keeps up a retry. Parameters as of `nextAt`.
   */
  take(now: number, at: (stream: string) => number, batch: BatchConfig | null): T | undefined {
    if (this.hasTest) {
      this.#source = 'test';
      return this.#tests.shift();
    }
    const freshMayGo = this.#gatheredAt(liveStream, batch, now) <= now;
    const hasOld = this.#retries.size > 0 || this.#others.size > 0;
    if (hasOld && this.#budget.mayTakeOld(freshMayGo)) {
      const old = this.#takeOld((stream) => at(stream) <= now && this.#gatheredAt(stream, batch, now) <= now);
      if (old !== undefined) return old;
    }
    this.#source = 'fresh';
    return freshMayGo ? this.#fresh.shift() : undefined;
  }

  /** What was taken last was sent: only now does it count for its share. */
  sent(): void {
    if (this.#source === 'test') return;
    this.#budget.took(this.#source === 'fresh' ? 'fresh' : 'old');
    if (this.#source !== 'fresh') this.#sentOld = this.#source;
  }

  /** A batch was formed of what was here: it goes next. */
  putFirst(item: T): void {
    this.#force(item, sourceOf(item), headRank);
  }

  /** What was taken last could not be started after all, and stays the head. */
  putBack(item: T): void {
    this.#force(item, this.#source, headRank);
  }

  /** Takes what would go last; the one that goes next stays, as a probe needs one. */
  takeLast(): T | undefined {
    if (this.ready - this.#tests.size + this.blocked <= 1) return undefined;
    return this.#blockedOthers.pop() ?? this.#blocked.pop() ?? this.#others.pop() ?? this.#takeLastLive();
  }

  clear(): void {
    for (const queue of [this.#fresh, this.#retries, this.#blocked, this.#tests]) while (queue.pop() !== undefined);
    this.#others.clear();
    this.#blockedOthers.clear();
  }

  /** Whether some of the live work is that much of what has room. Nobody waits for the others: they are sent beside it. */
  fills(share: number): boolean {
    const { maxRecords, maxBytes } = this.#bounds;
    const records = maxRecords * share;
    const bytes = maxBytes * share;
    return (
      fills(this.#fresh, records, bytes) || fills(this.#retries, records, bytes) || fills(this.#blocked, records, bytes)
    );
  }

  /** When the first one of a stream may go, where batches are made of them; Infinity with none. */
  #gatheredAt(stream: string, batch: BatchConfig | null, now: number): number {
    const head = stream === liveStream ? this.#fresh.peek() : this.#others.peek(stream);
    if (head === undefined) return Infinity;
    return batch === null ? now : gatheredAt(stream, head, () => this.#gathering(stream), batch, this.#bounds, now);
  }

  #gathering(stream: string): Gathering<T> {
    const [fresh, blocked, others, more] = [this.#fresh, this.#blocked, this.#others, this.#blockedOthers];
    const items = this.waiting(stream);
    return stream === liveStream
      ? { records: fresh.size + blocked.size, bytes: fresh.bytes + blocked.bytes, items }
      : {
          records: others.sizeOf(stream) + more.sizeOf(stream),
          bytes: others.bytesOf(stream) + more.bytesOf(stream),
          items,
        };
  }

  #takeLastLive(): T | undefined {
    return this.hasFresh && this.#retries.size === 0 ? this.#fresh.pop() : this.#retries.pop();
  }

  #takeOld(mayGo: (stream: string) => boolean): T | undefined {
    if (this.#retries.size > 0 && this.#sentOld === 'other') {
      this.#source = 'retry';
      return this.#retries.shift();
    }
    this.#source = 'other';
    const other = this.#others.take(mayGo);
    if (other !== undefined || this.#retries.size === 0) return other;
    this.#source = 'retry';
    return this.#retries.shift();
  }

  #force(item: T, source: Source, rank: number): void {
    if (source === 'other') this.#others.force(item.stream, item, item.bytes, rank);
    else if (source === 'test') this.#tests.force(item, item.bytes, rank);
    else (source === 'fresh' ? this.#fresh : this.#retries).force(item, item.bytes, rank);
  }
}

const fills = (queue: LaneQueue<unknown>, records: number, bytes: number): boolean =>
  queue.size >= records || queue.bytes >= bytes;
