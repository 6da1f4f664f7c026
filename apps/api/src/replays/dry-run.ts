import { setImmediate as turn } from 'node:timers/promises';
import {
  parseKafkaEvent,
  RepeatWindow,
  tenantOf,
  VersionedEvent,
  type Content,
  type EventEnvelope,
  type ReplaySelection,
  type VersionSource,
  type WrittenEvent,
} from '#libs/core';
import { OffsetOutOfRange, type LogRecord } from '#libs/kafka';
import type { PartitionWindow } from '#libs/persistence';
import { RegistryUnavailable, type EventCatalogue } from '#libs/schema-codec';
import { AppError } from '../problem/app-error.js';
import { answered, type ReplayLog } from './replay-log.js';

export interface DryRunPorts {
  readonly log: Pick<ReplayLog, 'range'>;
  readonly data: Pick<EventCatalogue, 'prepare' | 'isPrepared' | 'toJson'> & VersionSource;
  /** Milliseconds of a monotonic clock. */
  readonly monotonic: () => number;
}

export interface DryRunLimits {
  readonly topic: string;
  readonly maxEventBytes: number;
  /** Records before it among which an event may be a repeat. */
  readonly repeatWindow: number;
  readonly maxMs: number;
  readonly maxRecords: number;
  /** Dry runs of this process at once. */
  readonly atOnce: number;
}

/** A delivery that would be made. */
export interface WouldSend {
  readonly endpointId: string;
  readonly event: { readonly id: string; readonly source: string; readonly type: string; readonly time: string | null };
  readonly partition: number;
  readonly offset: number;
  /** Unix ms. */
  readonly appendedAt: number;
}

export interface DryRunCounts {
  /** Records that the window has, and those that were read in the time and number that a dry run may take. */
  readonly records: { readonly inWindow: number; readonly read: number };
  readonly counts: readonly { readonly endpointId: string; readonly eventType: string; readonly deliveries: number }[];
  /** As many as it would be if what was not read is like what was; exact when all was read. */
  readonly expected: ReadonlyMap<string, number>;
  /** Events of the tenant that stand in the window before. */
  readonly repeats: number;
  /** Wanted, but their data is not of their type: a dispatcher refuses them. */
  readonly rejected: number;
  readonly samples: readonly WouldSend[];
}

const sampleCount = 10;
/** Between two turns of the event loop: a request of somebody else must not wait for a whole fetch. */
const recordsPerTurn = 500;
/** … nor for many filters. */
const stepsPerTurn = 50_000;

/** What a dispatcher would ask of each endpoint, by its id; those that are not there let everything through. */
export type FilteringContents = ReadonlyMap<string, Pick<Content, 'filter' | 'versions' | 'latestByDefault'>>;

/** Reads a window of events as a replay would, and counts instead of sending. Transformations are not run. */
export class DryRuns {
  #running = 0;

  constructor(
    private readonly ports: DryRunPorts,
    private readonly limits: DryRunLimits,
  ) {}

  async count(
    partitions: readonly PartitionWindow[],
    selection: ReplaySelection,
    tenantId: string,
    contents: FilteringContents = new Map(),
  ): Promise<DryRunCounts> {
    if (this.#running >= this.limits.atOnce) {
      const headers = { 'retry-after': '5' };
      throw new AppError('overloaded', 'Other dry runs are under way in this process.', { headers });
    }
    this.#running += 1;
    try {
      const parts = partitions.map((one) => new PartCount(one, this.limits.repeatWindow));
      await this.#read(parts, new Tally(selection, tenantId, contents, this.ports.monotonic() + this.limits.maxMs));
      return sumOf(parts);
    } catch (error) {
      throw refusalOf(error);
    } finally {
      this.#running -= 1;
    }
  }

  /** Partitions in turns, so that what is left unread at the end is left in all of them alike. */
  async #read(parts: readonly PartCount[], tally: Tally): Promise<void> {
    const { topic, maxRecords } = this.limits;
    const { until } = tally;
    let open = parts.map((part) => {
      const { partition, from, to } = part.window;
      return { part, batches: this.ports.log.range({ topic, partition }, from, to)[Symbol.asyncIterator]() };
    });
    try {
      for (let read = 0; open.length > 0;) {
        for (const one of open) {
          const next = await answered(one.batches.next());
          if (next.done === true) {
            one.part.readTo(one.part.window.to);
            open = open.filter((other) => other !== one);
            continue;
          }
          for (let i = 0; i < next.value.length; i += recordsPerTurn) {
            if (read >= maxRecords || this.ports.monotonic() > until) return;
            const records = next.value.slice(i, Math.min(i + recordsPerTurn, i + maxRecords - read));
            await this.#note(one.part, tally, records);
            read += records.length;
            await turn();
          }
        }
      }
    } finally {
      // What was fetched ahead is of no interest any more, and neither is its failure.
      for (const { batches } of open) batches.return?.().catch(() => undefined);
    }
  }

  /** Those whose filters let it through, in the versions that they get. */
  async #passing(written: WrittenEvent, endpointIds: readonly string[], tally: Tally): Promise<readonly string[]> {
    const { contents } = tally;
    if (!endpointIds.some((id) => (contents.get(id)?.filter ?? null) !== null)) return endpointIds;
    const event = new VersionedEvent(written, this.ports.data);
    const passes = (id: string): boolean => {
      const content = contents.get(id);
      if (content === undefined) return true;
      const { match, steps } = event.ask(content);
      tally.steps += steps;
      return match;
    };
    let passing = endpointIds.filter(passes);
    while (event.isMissing) {
      await event.load();
      passing = endpointIds.filter(passes);
    }
    return passing;
  }

  async #note(part: PartCount, tally: Tally, records: readonly LogRecord[]): Promise<void> {
    const wanted = records.flatMap((record) => {
      part.readTo(record.offset + 1);
      return tally.wanted(part, record, this.limits.maxEventBytes) ?? [];
    });
    const unprepared = wanted.filter(({ event }) => !this.ports.data.isPrepared(event));
    if (unprepared.length > 0) await this.ports.data.prepare(unprepared.map(({ event }) => event));
    for (const one of wanted) {
      if (tally.steps > stepsPerTurn) {
        tally.steps = 0;
        await turn();
        if (this.ports.monotonic() > tally.until) return part.readTo(one.record.offset);
      }
      const data = this.ports.data.toJson(one.event);
      if (!data.ok) {
        part.rejected += 1;
        continue;
      }
      const written = { envelope: one.event, json: data.json, schemaId: data.schemaId };
      const endpointIds = await this.#passing(written, one.endpointIds, tally);
      if (endpointIds.length > 0) part.add({ ...one, endpointIds });
    }
  }
}

interface Wanted {
  readonly record: LogRecord;
  readonly event: EventEnvelope;
  readonly endpointIds: readonly string[];
}

/** The decisions of a dispatcher up to the data, in its order. */
class Tally {
  constructor(
    private readonly selection: ReplaySelection,
    private readonly tenantId: string,
    readonly contents: FilteringContents,
    /** When it is to end (monotonic ms). */
    readonly until: number,
  ) {}

  /** That filters took since the last turn of the event loop. */
  steps = 0;

  wanted(part: PartCount, record: LogRecord, maxBytes: number): Wanted | null {
    const parsed = parseKafkaEvent(record, { maxBytes });
    if (!parsed.ok) return null;
    const { event } = parsed;
    const tenantId = tenantOf(event, record.key);
    if (tenantId === null) return null;
    if (part.seen.note({ tenantId, source: event.source, id: event.id }, record.offset)) {
      if (tenantId === this.tenantId) part.repeats += 1;
      return null;
    }
    const endpointIds = this.selection.endpointsFor(tenantId, event, record.timestamp);
    return endpointIds.length === 0 ? null : { record, event, endpointIds };
  }
}

/** What was found in one partition. */
class PartCount {
  readonly seen: RepeatWindow;
  /** By endpoint, then by type. */
  readonly deliveries = new Map<string, Map<string, number>>();
  readonly samples: WouldSend[] = [];
  repeats = 0;
  rejected = 0;
  #position: number;

  constructor(
    readonly window: PartitionWindow,
    repeatWindow: number,
  ) {
    this.seen = new RepeatWindow(repeatWindow);
    this.#position = window.from;
  }

  get read(): number {
    return this.#position - this.window.from;
  }

  get size(): number {
    return this.window.to - this.window.from;
  }

  readTo(position: number): void {
    this.#position = position;
  }

  add({ record, event, endpointIds }: Wanted): void {
    const { id, source, type, time = null } = event;
    const { partition, offset, timestamp: appendedAt } = record;
    for (const endpointId of endpointIds) {
      const types = this.deliveries.get(endpointId) ?? new Map<string, number>();
      this.deliveries.set(endpointId, types);
      types.set(type, (types.get(type) ?? 0) + 1);
      if (this.samples.length === sampleCount) continue;
      this.samples.push({ endpointId, event: { id, source, type, time }, partition, offset, appendedAt });
    }
  }
}

function sumOf(parts: readonly PartCount[]): DryRunCounts {
  const counts = new Map<string, { endpointId: string; eventType: string; deliveries: number }>();
  const expected = new Map<string, number>();
  const [inWindow, read] = [sum(parts, ({ size }) => size), sum(parts, (part) => part.read)];
  const unread = sum(parts, (part) => (part.read === 0 ? part.size : 0));
  for (const part of parts) {
    for (const [endpointId, types] of part.deliveries) {
      for (const [eventType, deliveries] of types) {
        const known = counts.get(`${endpointId} ${eventType}`);
        counts.set(`${endpointId} ${eventType}`, {
          endpointId,
          eventType,
          deliveries: deliveries + (known?.deliveries ?? 0),
        });
        // A partition that was not begun is taken to be like the others.
        const factor = (part.size / part.read) * (inWindow / (inWindow - unread));
        expected.set(endpointId, (expected.get(endpointId) ?? 0) + deliveries * factor);
      }
    }
  }
  return {
    records: { inWindow, read },
    counts: [...counts.values()].sort((a, b) => b.deliveries - a.deliveries || (a.endpointId < b.endpointId ? -1 : 1)),
    expected: new Map([...expected].map(([id, count]) => [id, Math.round(count)])),
    repeats: sum(parts, ({ repeats }) => repeats),
    rejected: sum(parts, ({ rejected }) => rejected),
    samples: parts
      .flatMap(({ samples }) => samples)
      .sort((a, b) => a.appendedAt - b.appendedAt)
      .slice(0, sampleCount),
  };
}

const sum = (parts: readonly PartCount[], value: (part: PartCount) => number): number =>
  parts.reduce((total, part) => total + value(part), 0);

function refusalOf(error: unknown): unknown {
  if (error instanceof AppError) return error;
  if (error instanceof OffsetOutOfRange) {
    const detail = 'Retention has taken records of the window away while it was read. Try again.';
    return new AppError('conflict', detail, { cause: error });
  }
  if (error instanceof RegistryUnavailable) {
    const options = { headers: { 'retry-after': '2' }, cause: error };
    return new AppError('registry-unavailable', 'A schema of the window is not known here yet.', options);
  }
  return error;
}
