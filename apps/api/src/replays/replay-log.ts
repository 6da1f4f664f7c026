import type { OnApplicationShutdown } from '@nestjs/common';
import { decodeSourcePosition } from '#libs/core';
import {
  OffsetOutOfRange,
  type KafkaLog,
  type LogBounds,
  type LogReader,
  type LogRecord,
  type TopicAdministration,
  type TopicPartition,
} from '#libs/kafka';
import { AppError } from '../problem/app-error.js';

const patienceMs = 10_000;

/** What replays need to see of the log. All but `range` reject with `broker-unavailable` as `answered` does. */
export class ReplayLog implements OnApplicationShutdown {
  readonly #kafka: KafkaLog;
  readonly #dispatchers: string;
  #reader: LogReader | null = null;
  #administration: TopicAdministration | null = null;

  /** @param dispatchers consumer group whose commits tell the incarnation of a partition */
  constructor(kafka: KafkaLog, dispatchers: string) {
    this.#kafka = kafka;
    this.#dispatchers = dispatchers;
  }

  bounds(partitions: readonly TopicPartition[]): Promise<readonly LogBounds[]> {
    return answered(this.#readers().bounds(partitions));
  }

  offsetsAt(partitions: readonly TopicPartition[], timestamp: number): Promise<readonly number[]> {
    return answered(this.#readers().offsetsAt(partitions, timestamp));
  }

  range(partition: TopicPartition, from: number, to: number): AsyncIterable<readonly LogRecord[]> {
    return this.#readers().range(partition, from, to);
  }

  /** The first record of `[from, to)`; null when there is none, as where only markers of transactions stand. */
  first(partition: TopicPartition, from: number, to: number): Promise<LogRecord | null> {
    const find = async (): Promise<LogRecord | null> => {
      for await (const [record] of this.range(partition, from, to)) {
        if (record !== undefined) return record;
      }
      return null;
    };
    return answered(find());
  }

  /** Of each partition of events, in the given order: what their deliveries' ids are made with. */
  async incarnations(partitions: readonly TopicPartition[]): Promise<readonly number[]> {
    this.#administration ??= this.#kafka.administration();
    const commits = await answered(this.#administration.committed(this.#dispatchers, partitions));
    return commits.map((commit, at) => {
      if (commit === null) return 0;
      const position = decodeSourcePosition(commit.metadata);
      if (position !== null) return position.incarnation;
      const partition = partitions[at]?.partition ?? at;
      throw new AppError('not-replayable', `No dispatcher made the position of partition ${partition}: see its alarm.`);
    });
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all([this.#reader?.close(), this.#administration?.close()]);
  }

  /** Opened when it is needed: most processes never are asked for a replay. */
  #readers(): LogReader {
    this.#reader ??= this.#kafka.reader();
    return this.#reader;
  }
}

/** Rejects with `broker-unavailable` when the brokers do not answer, or not in time; `OffsetOutOfRange` is an answer. */
export async function answered<T>(answer: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer within ${patienceMs} ms`)), patienceMs);
  try {
    return await Promise.race([answer, late]);
  } catch (cause) {
    if (cause instanceof OffsetOutOfRange) throw cause;
    throw new AppError('broker-unavailable', 'The log cannot be read now.', { headers: { 'retry-after': '2' }, cause });
  } finally {
    clearTimeout(timer);
  }
}
