import { setImmediate as turn } from 'node:timers/promises';
import { parseKafkaEvent, tenantOf, type EventEnvelope } from '#libs/core';
import { OffsetOutOfRange, type LogRecord } from '#libs/kafka';
import { AppError } from '../problem/app-error.js';
import { answered, type ReplayLog } from '../replays/replay-log.js';

export interface LastEventsPorts {
  readonly log: Pick<ReplayLog, 'bounds' | 'range'>;
  readonly now: () => number;
  /** Milliseconds of a monotonic clock. */
  readonly monotonic: () => number;
}

export interface LastEventsLimits {
  readonly topic: string;
  readonly partitions: number;
  readonly maxEventBytes: number;
  readonly maxMs: number;
  readonly maxRecords: number;
  /** Searches of this process at once. */
  readonly atOnce: number;
}

export interface PastEvent {
  readonly event: EventEnvelope;
  readonly partition: number;
  readonly offset: number;
  /** Unix ms. */
  readonly appendedAt: number;
}

export interface LastEvents {
  /** Newest first. */
  readonly events: readonly PastEvent[];
  readonly lookedBack: {
    readonly records: number;
    /** Every event from this time on was looked at; null: all that the log has. Unix ms. */
    readonly since: number | null;
    /** Whether it ended before so many were found as were asked for, with more of the log left. */
    readonly partial: boolean;
  };
}

/** Records of one partition that are read at first; then twice as many each time. */
const firstStep = 100;
const longestStep = 2_000;

/** Finds the newest events of a tenant and type, by reading the log backwards in steps. */
export class PastEvents {
  #running = 0;

  constructor(
    private readonly ports: LastEventsPorts,
    private readonly limits: LastEventsLimits,
  ) {}

  /** @throws AppError `overloaded`, `broker-unavailable` */
  async last(tenantId: string, type: string, count: number): Promise<LastEvents> {
    if (this.#running >= this.limits.atOnce) {
      const headers = { 'retry-after': '5' };
      throw new AppError('overloaded', 'Others are looking for past events in this process.', { headers });
    }
    this.#running += 1;
    try {
      return await this.#search((record) => this.#wanted(record, tenantId, type), count);
    } finally {
      this.#running -= 1;
    }
  }

  async #search(wanted: (record: LogRecord) => PastEvent | null, count: number): Promise<LastEvents> {
    const parts = await this.#tails();
    const until = this.ports.monotonic() + this.limits.maxMs;
    let found: PastEvent[] = [];
    let read = 0;
    for (let step = firstStep; ; step = Math.min(longestStep, 2 * step)) {
      // What lies before the oldest record read of a partition is no newer than it: of no interest, if enough are newer.
      const horizon = found[count - 1]?.appendedAt ?? Number.NEGATIVE_INFINITY;
      const open = parts.filter((part) => part.position > part.start && part.oldest > horizon);
      const room = Math.floor((this.limits.maxRecords - read) / open.length);
      const partial = open.length > 0 && (room < 1 || this.ports.monotonic() > until);
      if (open.length === 0 || partial)
        return { events: found, lookedBack: { records: read, partial, since: this.#since(parts) } };
      const steps = open.map((part) => this.#stepBack(part, Math.min(step, room), { wanted, count }));
      for (const one of await Promise.all(steps)) {
        read += one.read;
        found.push(...one.found);
      }
      found = found.sort(newestFirst).slice(0, count);
    }
  }

  async #tails(): Promise<Tail[]> {
    const { topic, partitions } = this.limits;
    const places = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
    const bounds = await this.ports.log.bounds(places);
    return bounds.map(({ start, end }, partition) => new Tail(partition, start, end));
  }

  async #stepBack(
    part: Tail,
    step: number,
    { wanted, count }: { readonly wanted: (record: LogRecord) => PastEvent | null; readonly count: number },
  ): Promise<{ read: number; found: PastEvent[] }> {
    const from = Math.max(part.start, part.position - step);
    const found: PastEvent[] = [];
    let { oldest } = part;
    const place = { topic: this.limits.topic, partition: part.partition };
    const batches = this.ports.log.range(place, from, part.position)[Symbol.asyncIterator]();
    let read = 0;
    try {
      for (let next = await answered(batches.next()); next.done !== true; next = await answered(batches.next())) {
        for (const record of next.value) {
          oldest = Math.min(oldest, record.timestamp);
          const one = wanted(record);
          if (one === null) continue;
          found.push(one);
          // Events may be large, and no more than these are asked for.
          if (found.length > count) found.shift();
        }
        read += next.value.length;
        await turn();
      }
      part.position = from;
      part.oldest = oldest;
    } catch (error) {
      if (!(error instanceof OffsetOutOfRange)) throw error;
      // Retention has taken some of them away meanwhile: what is left is read in the next step.
      part.start = Math.min(part.position, error.bounds.start);
      return { read: 0, found: [] };
    } finally {
      // What was fetched ahead is of no interest any more, and neither is its failure.
      batches.return?.().catch(() => undefined);
    }
    return { read, found };
  }

  #since(parts: readonly Tail[]): number | null {
    const unread = parts.filter(({ position, start }) => position > start);
    if (unread.length === 0) return null;
    // Where no record was met yet, nothing is known of any time.
    return Math.min(this.ports.now(), Math.max(...unread.map(({ oldest }) => oldest)));
  }

  #wanted(record: LogRecord, tenantId: string, type: string): PastEvent | null {
    const parsed = parseKafkaEvent(record, { maxBytes: this.limits.maxEventBytes });
    if (!parsed.ok || parsed.event.type !== type || tenantOf(parsed.event, record.key) !== tenantId) return null;
    const { partition, offset, timestamp: appendedAt } = record;
    return { event: parsed.event, partition, offset, appendedAt };
  }
}

/** What was read of one partition, from its end. */
class Tail {
  /** Append time of the oldest record read; none yet: later than all. */
  oldest = Number.POSITIVE_INFINITY;

  constructor(
    readonly partition: number,
    public start: number,
    /** Everything from here on was read. */
    public position: number,
  ) {}
}

const newestFirst = (a: PastEvent, b: PastEvent): number =>
  b.appendedAt - a.appendedAt || a.partition - b.partition || b.offset - a.offset;
