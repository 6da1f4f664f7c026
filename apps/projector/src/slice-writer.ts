import { partitionName, type LogRecord, type TopicPartition } from '#libs/kafka';
import {
  PositionConflict,
  UnstorableRows,
  type Advance,
  type ProjectionBatch,
  type StoredPosition,
} from '#libs/persistence';
import { project, type ProjectCodecs } from './project.js';
import type { Slice } from './record-queue.js';

export interface ProjectionStore {
  open(partitions: readonly (TopicPartition & { readonly start: number })[]): Promise<readonly StoredPosition[]>;
  apply(batch: ProjectionBatch): Promise<number>;
  skip(gap: Advance): Promise<void>;
}

interface ProjectLogger {
  debug(details: object, message: string): void;
  info(details: object, message: string): void;
  error(details: object, message: string): void;
}

export interface SliceWriterOptions {
  readonly topics: { readonly attempts: string; readonly deadLetters: string };
  readonly store: ProjectionStore;
  readonly codecs: ProjectCodecs;
  readonly logger: ProjectLogger;
  /** Runs `task` after `ms`; returns how to call it off. */
  schedule(ms: number, task: () => void): () => void;
}

/** Whose slices are written. */
export interface SliceOwner {
  /** Whether it is still ours to write, and worth trying. */
  wanted(slice: Slice): boolean;
  /** Where the log of its partition begins: where Postgres begins, should it know nothing of the partition (any more). */
  startOf(slice: Slice): number;
  /** All of it stands in Postgres. */
  reached(slice: Slice): void;
  /** Postgres is somewhere else: read on from `position`; the slice is void. */
  elsewhere(slice: Slice, position: number): void;
}

const triesForSchema = 3;

/** Writes slices, through whatever happens to Postgres, until they stand there or are no longer ours. */
export class SliceWriter {
  constructor(
    private readonly options: SliceWriterOptions,
    private readonly owner: SliceOwner,
  ) {}

  async write(slices: readonly Slice[]): Promise<void> {
    let left = slices;
    for (let failures = 0; ;) {
      left = left.filter((slice) => this.owner.wanted(slice));
      if (left.length === 0) return;
      try {
        await this.tryOnce(left, failures < triesForSchema);
        return;
      } catch (error) {
        if (error instanceof UnstorableRows) {
          await this.writeApart(left, error);
          return;
        }
        if (error instanceof PositionConflict) left = await this.compare(left, error);
        else await backOff(this.options, error, failures++);
      }
    }
  }

  private async tryOnce(slices: readonly Slice[], patient: boolean): Promise<void> {
    const { codecs, topics, logger, store } = this.options;
    const batch = await project(slices, {
      codecs,
      topics,
      patient,
      unreadable: ({ topic, partition, offset }: LogRecord, error) =>
        logger.error({ err: error, topic, partition, offset }, 'a record that cannot be read is passed over'),
      breathe: () => pause(this.options, 0),
    });
    const disabled = await store.apply(batch);
    if (disabled > 0) logger.info({ endpoints: batch.disables, disabled }, 'disabled endpoints that are gone');
    for (const slice of slices) this.owner.reached(slice);
  }

  /** Halves what Postgres refuses as a whole, until the record is found that it refuses; that one is passed over. */
  private async writeApart(slices: readonly Slice[], error: UnstorableRows): Promise<void> {
    const [first, ...others] = slices;
    if (first === undefined) return;
    if (others.length > 0) {
      for (const slice of slices) await this.write([slice]);
      return;
    }
    const { topic, partition, from, to, records } = first;
    if (records.length > 1) {
      const middle = records.length >> 1;
      const cut = records[middle]?.offset ?? to;
      await this.write([{ topic, partition, from, to: cut, records: records.slice(0, middle) }]);
      await this.write([{ topic, partition, from: cut, to, records: records.slice(middle) }]);
      return;
    }
    const details = { err: error, topic, partition, offset: records[0]?.offset ?? from };
    // Without a record there is nothing to refuse: then it is not the rows.
    if (records.length === 0) throw error;
    this.options.logger.error(details, 'a record that cannot be stored is passed over');
    await this.write([{ topic, partition, from, to, records: [] }]);
  }

  /**
   * Some positions are not what we took them for. Written already: an earlier try went through without an answer. Still
   * where we begin: written again. Anywhere else: somebody else was here, so we read on from where he is.
   */
  private async compare(slices: readonly Slice[], conflict: PositionConflict): Promise<readonly Slice[]> {
    this.options.logger.info({ reason: conflict.message }, 'positions are read again');
    const positions = await this.positions(slices);
    const again: Slice[] = [];
    for (const slice of slices) {
      const position = positions.get(partitionName(slice)) ?? slice.from;
      if (position === slice.from) again.push(slice);
      else if (position === slice.to) this.owner.reached(slice);
      else this.owner.elsewhere(slice, position);
    }
    return again;
  }

  private async positions(slices: readonly Slice[]): Promise<ReadonlyMap<string, number>> {
    const partitions = slices.map((slice) => ({ ...slice, start: this.owner.startOf(slice) }));
    for (let failures = 0; slices.some((slice) => this.owner.wanted(slice));) {
      try {
        const stored = await this.options.store.open(partitions);
        return new Map(stored.map((one) => [partitionName(one), one.position]));
      } catch (error) {
        await backOff(this.options, error, failures++);
      }
    }
    return new Map();
  }
}

type Timing = Pick<SliceWriterOptions, 'schedule' | 'logger'>;

/** Waits before the next try: 100 ms, twice as long each time, at most 5 s. */
export async function backOff(timing: Timing, error: unknown, failures: number): Promise<void> {
  const inMs = Math.min(5_000, 100 * 2 ** Math.min(failures, 10));
  timing.logger.error(
    { err: error, failures: failures + 1, inMs },
    'what the projector needs does not answer; trying again',
  );
  await pause(timing, inMs);
}

function pause(timing: Pick<Timing, 'schedule'>, ms: number): Promise<void> {
  return new Promise((resolve) => void timing.schedule(ms, resolve));
}
