import type { BatchConfig } from '#libs/contracts';
import type { LaneQueueBounds } from '#libs/core';
import { isBatchable, type Single } from './batch-record.js';

/** What may be gathered. */
interface Gathered {
  readonly pos: number;
  /** When it was read (monotonic ms). */
  readonly since: number;
  readonly delivery: Single;
}

/** First attempts of a stream that wait in a lane, those that order does not let go yet too. */
export interface Gathering<T extends Gathered> {
  readonly records: number;
  /** Of their records. */
  readonly bytes: number;
  /** By ascending pos. */
  readonly items: Iterable<T>;
}

/**
 * From when on `head`, the first of them, may go: once they make up a batch, or fill all the room there is, or it has waited
 * for long enough. What cannot travel with others waits for none.
 * @param waiting asked only if it matters
 */
export function gatheredAt<T extends Gathered>(
  stream: string,
  head: T,
  waiting: () => Gathering<T>,
  batch: BatchConfig,
  bounds: LaneQueueBounds,
  now: number,
): number {
  const at = head.since + batch.maxWaitMs;
  if (at <= now || !isBatchable(head.delivery, stream)) return now;
  return isFull(waiting(), batch, bounds) ? now : at;
}

function isFull<T extends Gathered>(
  { records, bytes, items }: Gathering<T>,
  { maxEvents, maxBytes }: BatchConfig,
  bounds: LaneQueueBounds,
): boolean {
  if (records >= Math.min(maxEvents, bounds.maxRecords) || bytes >= bounds.maxBytes) return true;
  // A body is smaller than its record.
  if (bytes < maxBytes) return false;
  let body = 0;
  for (const { delivery } of items) body += delivery.body?.length ?? 0;
  return body >= maxBytes;
}

/** Of two that ascend by pos. */
export function* merged<T extends { readonly pos: number }>(these: Iterable<T>, those: Iterable<T>): Iterable<T> {
  const [ones, others] = [these[Symbol.iterator](), those[Symbol.iterator]()];
  let [one, other] = [ones.next(), others.next()];
  for (;;) {
    if (one.done !== true && (other.done === true || one.value.pos < other.value.pos)) {
      yield one.value;
      one = ones.next();
    } else if (other.done !== true) {
      yield other.value;
      other = others.next();
    } else return;
  }
}
