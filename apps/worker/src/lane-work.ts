import { LaneQueue, liveStream, ShareBudget, type LaneQueueBounds, type WorkKind } from '#libs/core';

/** What a lane needs to know of a delivery. */
export interface Waiting {
  /** Offset in `deliveries`: the lower one goes first. */
  readonly pos: number;
  readonly bytes: number;
  /** As it is while it is in a lane. */
  readonly delivery: { readonly stream: string; readonly attempt: number };
}

/** A test send goes before everything else, and finds room in a full lane, up to so many. */
const urgentRank = -1;
const urgentExtra = 16;
/** Before what is urgent: it was the head, and stays it. */
const headRank = -2;

const none: readonly never[] = [];

/**
 * What waits in a lane. Ready and blocked are bounded apart: followers that fill the lane must not keep out the head that
 * they wait for. Fresh and old are too: a flood of one must not keep out the other's share.
 */
export class LaneWork<T extends Waiting> {
  readonly #bounds: LaneQueueBounds;
  /** First attempts of live events that may go. */
  readonly #fresh: LaneQueue<T>;
  /** Retries and replays that may go. */
  readonly #old: LaneQueue<T>;
  /** Order does not let them go yet. */
  readonly #blocked: LaneQueue<T>;
  readonly #budget = new ShareBudget();
  /** Where the last one was taken from. */
  #source: LaneQueue<T>;

  constructor(bounds: LaneQueueBounds) {
    this.#bounds = bounds;
    this.#fresh = new LaneQueue(bounds);
    this.#old = new LaneQueue(bounds);
    this.#blocked = new LaneQueue(bounds);
    this.#source = this.#fresh;
  }

  get ready(): number {
    return this.#fresh.size + this.#old.size;
  }

  get blocked(): number {
    return this.#blocked.size;
  }

  get hasFresh(): boolean {
    return this.#fresh.size > 0;
  }

  /** Adds what may go; false when it does not fit. @param most of its kind, besides the bounds */
  offer(item: T, urgent: boolean, most: number): boolean {
    if (urgent && this.#fresh.size < this.#bounds.maxRecords + urgentExtra) {
      this.#fresh.force(item, item.bytes, urgentRank);
      return true;
    }
    const queue = this.#queueOf(item);
    return queue.size < most && queue.offer(item, item.bytes, item.pos);
  }

  /**
   * Adds what order does not let go yet. What is furthest behind gives way: were it to stay, those before it would come
   * round over and over, let in one at a time, while it waits for them.
   * @param most of them, besides the bounds
   * @returns what has no room now: others, or the item itself
   */
  offerBlocked(item: T, most: number): readonly T[] {
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
    this.#queueOf(item).force(item, item.bytes, item.pos);
    return true;
  }

  /** False when it was not blocked here. */
  removeBlocked(item: T): boolean {
    return this.#blocked.size > 0 && this.#blocked.remove(item, item.pos);
  }

  /** Takes the next one to start: fresh before old, within old work's share. */
  take(): T | undefined {
    const { hasFresh } = this;
    const isOldsTurn = !hasFresh || (this.#old.size > 0 && this.#budget.mayTakeOld(hasFresh));
    this.#source = isOldsTurn ? this.#old : this.#fresh;
    return this.#source.shift();
  }

  /** What was taken last was sent: only now does it count for its share. */
  sent(): void {
    this.#budget.took(this.#source === this.#old ? 'old' : 'fresh');
  }

  /** What was taken last could not be started after all, and stays the head. */
  putBack(item: T): void {
    this.#source.force(item, item.bytes, headRank);
  }

  /** Takes what would go last; the one that goes next stays, as a probe needs one. */
  takeLast(): T | undefined {
    if (this.ready + this.blocked <= 1) return undefined;
    return this.#blocked.pop() ?? (this.hasFresh && this.#old.size === 0 ? this.#fresh.pop() : this.#old.pop());
  }

  clear(): void {
    for (const queue of [this.#fresh, this.#old, this.#blocked]) while (queue.pop() !== undefined);
  }

  fills(share: number): boolean {
    const { maxRecords, maxBytes } = this.#bounds;
    const records = maxRecords * share;
    const bytes = maxBytes * share;
    return (
      fills(this.#fresh, records, bytes) || fills(this.#old, records, bytes) || fills(this.#blocked, records, bytes)
    );
  }

  #queueOf(item: T): LaneQueue<T> {
    return kindOf(item) === 'old' ? this.#old : this.#fresh;
  }
}

const kindOf = ({ delivery }: Waiting): WorkKind =>
  delivery.attempt > 0 || delivery.stream !== liveStream ? 'old' : 'fresh';

const fills = (queue: LaneQueue<unknown>, records: number, bytes: number): boolean =>
  queue.size >= records || queue.bytes >= bytes;
