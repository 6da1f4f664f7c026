import { setImmediate as turn } from 'node:timers/promises';
import { parseKafkaEvent, tenantOf, type EventEnvelope } from '#libs/core';
import { OffsetOutOfRange, type LogRecord } from '#libs/kafka';
import { AppError } from '../problem/app-error.js';
import { answered, type ReplayLog } from '../replays/replay-log.js';

export interface LatestEventsOptions {
  readonly topic: string;
  readonly partitions: number;
  readonly maxEventBytes: number;
  /** Of one search, over all partitions. */
  readonly maxRecords: number;
  readonly maxMs: number;
}

export interface FoundEvents {
  /** Latest first. */
  readonly events: readonly EventEnvelope[];
  /** Records that were read. */
  readonly records: number;
  /** Append time after which everything was read, in every partition, in Unix ms; null: everything that there is. */
  readonly since: number | null;
  /** Whether no later event of the kind is missing: as many as were asked for, or all that there are. */
  readonly complete: boolean;
}

const longMs = 250;
/** Of the first look at a partition; each further one is twice as large. */
const firstRecords = 100;
const mostRecordsAtOnce = 5_000;
/** Between two turns of the event loop: a request of somebody else must not wait for a whole fetch. */
const recordsPerTurn = 500;

interface Found {
  readonly event: EventEnvelope;
  readonly at: number;
}

/** A partition, read backwards. */
interface Part {
  readonly partition: number;
  readonly start: number;
  /** Everything from here on was read. */
  position: number;
  /** Append time of the first record there; later ones are as late or later. */
  since: number;
  size: number;
}

/** Finds the latest events of a tenant and type: the log is read backwards, in pieces, always where it was read the least far. */
export class LatestEvents {
  constructor(
    private readonly ports: {
      readonly log: Pick<ReplayLog, 'bounds' | 'range'>;
      readonly now: () => number;
      /** Milliseconds of a monotonic clock. */
      readonly monotonic: () => number;
    },
    private readonly options: LatestEventsOptions,
  ) {}

  async find(tenantId: string, type: string, count: number): Promise<FoundEvents> {
    const { maxRecords, maxMs } = this.options;
    const until = this.ports.monotonic() + maxMs;
    const parts = await this.#parts();
    let found: readonly Found[] = [];
    let records = 0;
    for (;;) {
      const next = leastFar(parts);
      // What was not read yet is as old as that, or older.
      const since = next?.since ?? null;
      const complete = since === null || found.filter(({ at }) => at > since).length >= count;
      if (next === null || complete || records >= maxRecords || this.ports.monotonic() > until) {
        const events = found.map(({ event }) => event);
        return { events, records, since: since === null ? null : Math.min(since, this.ports.now()), complete };
      }
      const latest: Found[] = [];
      records += await this.#readBack(next, maxRecords - records, (record) => {
        const event = this.#wanted(record, tenantId, type);
        if (event !== null) latest.push({ event, at: record.timestamp });
        // Events may be large, and no more than these are asked for.
        if (latest.length > count) latest.shift();
      });
      found = [...found, ...latest.reverse()].sort((a, b) => b.at - a.at).slice(0, count);
    }
  }

  async #parts(): Promise<readonly Part[]> {
    const places = Array.from({ length: this.options.partitions }, (_, partition) => ({
      topic: this.options.topic,
      partition,
    }));
    const bounds = await this.ports.log.bounds(places);
    return bounds.map(({ start, end }, partition) => ({
      partition,
      start,
      position: end,
      since: Number.POSITIVE_INFINITY,
      size: firstRecords,
    }));
  }

  /** @returns how many records there were */
  async #readBack(part: Part, most: number, see: (record: LogRecord) => void): Promise<number> {
    const from = Math.max(part.start, part.position - Math.min(part.size, most));
    const range = this.ports.log.range({ topic: this.options.topic, partition: part.partition }, from, part.position);
    const batches = range[Symbol.asyncIterator]();
    const began = this.ports.monotonic();
    let seen = 0;
    let first: number | null = null;
    try {
      for (let next = await answered(batches.next()); next.done !== true; next = await answered(batches.next())) {
        for (const record of next.value) {
          first ??= record.timestamp;
          seen += 1;
          see(record);
          if (seen % recordsPerTurn === 0) await turn();
        }
      }
    } catch (error) {
      throw refusalOf(error);
    } finally {
      batches.return?.().catch(() => undefined);
    }
    part.position = from;
    part.since = first ?? part.since;
    // Records may be large: a piece that took long is not followed by a larger one.
    const tookLong = this.ports.monotonic() - began > longMs;
    part.size = Math.min(tookLong ? part.size : part.size * 2, mostRecordsAtOnce);
    return seen;
  }

  #wanted(record: LogRecord, tenantId: string, type: string): EventEnvelope | null {
    const parsed = parseKafkaEvent(record, { maxBytes: this.options.maxEventBytes });
    if (!parsed.ok || parsed.event.type !== type) return null;
    return tenantOf(parsed.event, record.key) === tenantId ? parsed.event : null;
  }
}

/** Of those that have more: the one whose unread part may hold the latest records. */
function leastFar(parts: readonly Part[]): Part | null {
  let least: Part | null = null;
  for (const part of parts) {
    if (part.position > part.start && (least === null || part.since > least.since)) least = part;
  }
  return least;
}

function refusalOf(error: unknown): unknown {
  if (!(error instanceof OffsetOutOfRange)) return error;
  const detail = 'Retention has taken records away while they were read. Try again.';
  return new AppError('conflict', detail, { cause: error });
}
