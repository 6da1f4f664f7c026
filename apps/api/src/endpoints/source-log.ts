import { decodeSourcePosition } from '#libs/core';
import { OffsetOutOfRange, partitionName, type Committed, type LogReader, type TopicPartition } from '#libs/kafka';
import type { NewBackfill } from '#libs/persistence';
import { AppError } from '../problem/app-error.js';

export interface SourceLogPorts {
  readonly reader: Pick<LogReader, 'bounds' | 'offsetsAt' | 'range'>;
  /** Of the dispatchers' group, in the given order. */
  readonly committed: (partitions: readonly TopicPartition[]) => Promise<readonly (Committed | null)[]>;
  readonly schedule: (ms: number, run: () => void) => () => void;
  readonly now: () => number;
}

export interface SourceLogOptions {
  readonly topic: string;
  readonly partitions: number;
  /** Longest wait for the brokers, in milliseconds. */
  readonly timeoutMs: number;
}

/** Of what was asked for, the part that the log does not hold any more, or may not. */
interface HistoryGap {
  readonly partitions: readonly number[];
  /** From this time on it holds everything; Unix ms. */
  readonly from: number;
}

export interface History {
  readonly cursors: NewBackfill['cursors'];
  readonly gap: HistoryGap | null;
}

/** Retention may move the log's start on while it is looked at. */
const looks = 5;

/** The events topic, as endpoints stand in it. Calls reject with `broker-unavailable` when the brokers don't answer in time. */
export class SourceLog {
  readonly #places: readonly TopicPartition[];

  constructor(
    private readonly ports: SourceLogPorts,
    private readonly options: SourceLogOptions,
  ) {
    const { topic, partitions } = options;
    this.#places = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
  }

  get partitions(): number {
    return this.#places.length;
  }

  /** The offset that the next event of each partition will get. */
  async ends(): Promise<readonly number[]> {
    const bounds = await this.#inTime(this.ports.reader.bounds(this.#places));
    return bounds.map(({ end }) => end);
  }

  /**
   * Where an endpoint begins that is to have all events from a time on: the first one of each partition that was appended
   * then or later, or is there at all.
   * @param since Unix ms
   */
  async historyFrom(since: number | 'beginning'): Promise<History> {
    return this.#inTime(this.#look(since));
  }

  async #look(since: number | 'beginning'): Promise<History> {
    for (let looked = 1; ; looked += 1) {
      try {
        return await this.#lookOnce(since);
      } catch (error) {
        if (!(error instanceof OffsetOutOfRange) || looked === looks) throw error;
      }
    }
  }

  async #lookOnce(since: number | 'beginning'): Promise<History> {
    const { reader, committed } = this.ports;
    const commits = await committed(this.#places);
    const bounds = await reader.bounds(this.#places);
    // Negative times mean something else to Kafka.
    const found = since === 'beginning' ? null : await reader.offsetsAt(this.#places, Math.max(0, since));
    const shortened: number[] = [];
    const complete: number[] = [];
    const cursors: History['cursors'][number][] = [];
    for (const [i, place] of this.#places.entries()) {
      const { start, end } = bounds[i] ?? { start: 0, end: 0 };
      // What came between the two answers must not be left out: "none since then" may be answered with a later end.
      const position = Math.max(start, Math.min(found?.[i] ?? start, end));
      cursors.push({ partition: place.partition, incarnation: incarnationOf(place, commits[i] ?? null), position });
      if (start === 0 || position > start) continue;
      shortened.push(place.partition);
      complete.push(await this.#timeOfFirst(place, start, end));
    }
    return { cursors, gap: shortened.length === 0 ? null : { partitions: shortened, from: Math.max(...complete) } };
  }

  /** Append time; of an empty partition, the present. */
  async #timeOfFirst(place: TopicPartition, start: number, end: number): Promise<number> {
    for await (const [first] of this.ports.reader.range(place, start, end))
      if (first !== undefined) return first.timestamp;
    return this.ports.now();
  }

  async #inTime<T>(work: Promise<T>): Promise<T> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const cancel = this.ports.schedule(this.options.timeoutMs, () =>
      reject(
        new AppError('broker-unavailable', 'The brokers did not answer in time; nothing was changed.', {
          headers: { 'retry-after': '2' },
        }),
      ),
    );
    try {
      return await Promise.race([work, late]);
    } finally {
      cancel();
    }
  }
}

/** As the dispatcher takes it over (`checkSource`): 0 while there is no commit. */
function incarnationOf(place: TopicPartition, commit: Committed | null): number {
  if (commit === null) return 0;
  const position = decodeSourcePosition(commit.metadata);
  if (position !== null) return position.incarnation;
  throw new AppError(
    'partition-stopped',
    `${partitionName(place)} has stopped with an alarm; where it goes on must be decided first.`,
    { headers: { 'retry-after': '60' } },
  );
}
