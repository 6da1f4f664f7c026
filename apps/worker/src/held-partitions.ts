import type { TopicNames } from '#libs/contracts';
import type { GainedPartition, LogFeed, TopicPartition } from '#libs/kafka';
import type { PlatformCodecs } from '#libs/schema-codec';
import type { Backlog } from './backlog.js';
import type { Clock } from './clock.js';
import type { Commits } from './commits.js';
import type { Intake } from './intake.js';
import type { Lanes } from './lanes.js';
import { OwnedPartition } from './owned-partition.js';
import { PartitionReader } from './partition-reader.js';
import { startOf } from './start-positions.js';

export interface PartitionMetrics {
  lag(topic: string, partition: number, records: number): void;
  partitionLost(topic: string, partition: number): void;
  partitionStopped(topic: string, partition: number): void;
}

export interface HeldPartitionsPorts {
  readonly feed: LogFeed;
  readonly clock: Clock;
  readonly codecs: PlatformCodecs;
  readonly metrics: PartitionMetrics;
  readonly log: { warn(details: object, message: string): void; error(details: object, message: string): void };
  readonly backlog: Backlog;
  readonly lanes: Lanes;
  readonly commits: Commits;
  readonly intake: Intake;
  /** There may be something to start. */
  pump(): void;
}

interface Held {
  readonly partition: OwnedPartition;
  readonly reader: PartitionReader;
}

/** What a retry partition holds ahead of its time. */
const delayRecords = 1_000;
const delayBytes = 512 * 1_024;

/** The partitions that the group has given to this worker: takes them up where they were committed, lets go of them. */
export class HeldPartitions {
  readonly #topics: Pick<TopicNames, 'deliveries' | 'retry'>;
  readonly #ports: HeldPartitionsPorts;
  readonly #held = new Map<number, Held>();
  /** Those that could not be taken up. */
  readonly #refused = new Set<number>();
  /** The memory is full. */
  #paused = false;
  #readingOn = false;

  constructor(topics: Pick<TopicNames, 'deliveries' | 'retry'>, ports: HeldPartitionsPorts) {
    this.#topics = topics;
    this.#ports = ports;
  }

  /** Partitions that stopped with an alarm. */
  get stopped(): number {
    return this.#refused.size + [...this.#held.values()].filter(({ partition }) => partition.stopped).length;
  }

  take(gained: GainedPartition): void {
    const { log, metrics, commits, intake, backlog, feed, clock, codecs, lanes } = this.#ports;
    const pump = (): void => this.#ports.pump();
    const start = startOf(
      gained,
      this.#topics.retry.map((topic) => topic.delayMs),
    );
    if (start.kind === 'alarm') {
      log.error({ topic: gained.topic, partition: gained.partition }, `partition stopped: ${start.message}`);
      metrics.partitionStopped(gained.topic, gained.partition);
      this.#refused.add(gained.partition);
      return;
    }
    const writer = { era: start.era, generation: gained.generation };
    const partition = new OwnedPartition(gained.partition, writer, start.positions);
    partition.end = gained.bounds.end;
    const options = { topics: this.#topics, delayRecords, delayBytes };
    const reader = new PartitionReader(partition, options, {
      feed,
      clock,
      codecs,
      log,
      intake,
      delays: {
        feed,
        clock,
        mayTakeUp: (of) => !backlog.isFull && !lanes.isCrowded(of.number),
        takeUp: (of, due) => intake.takeUp(of, due),
        done: pump,
      },
      mayRead: () => !this.#paused && !lanes.isCrowded(partition.number),
      batchRead: pump,
      stopped: (of, at, error) => this.stop(of, at, error),
    });
    this.#held.set(gained.partition, { partition, reader });
    commits.add(partition, gained.committed);
    reader.start();
  }

  /** It is no longer ours. @returns what it was, if it had been taken up */
  letGo({ topic, partition: number }: TopicPartition): OwnedPartition | undefined {
    this.#ports.metrics.partitionLost(topic, number);
    this.#refused.delete(number);
    const held = this.#held.get(number);
    if (held === undefined) return undefined;
    const { partition, reader } = held;
    this.#held.delete(number);
    partition.alive = false;
    reader.stop();
    this.#ports.commits.remove(partition);
    this.#ports.backlog.remove(partition.records, partition.bytes);
    return partition;
  }

  /** It reads no further: what cannot be processed must not be skipped. What is in memory still comes to its end. */
  stop(partition: OwnedPartition, at: object, error: unknown): void {
    if (partition.stopped || !partition.alive) return;
    partition.stopped = true;
    this.#held.get(partition.number)?.reader.stop();
    this.#ports.log.error({ ...at, err: error }, 'partition stopped: it needs a decision');
    this.#ports.metrics.partitionStopped(this.#topics.deliveries, partition.number);
  }

  /** Reads on where that was put off, if it may. */
  readOn(): void {
    // What is read may start something, which may let others read on.
    if (this.#readingOn) return;
    this.#readingOn = true;
    const { isHigh, isFull } = this.#ports.backlog;
    this.#paused = this.#paused ? isHigh : isFull;
    for (const { reader } of this.#held.values()) {
      if (reader.isWaiting) reader.readOn();
    }
    this.#readingOn = false;
  }

  /** Whether reading was put off somewhere. */
  get isWaiting(): boolean {
    for (const { reader } of this.#held.values()) {
      if (reader.isWaiting) return true;
    }
    return false;
  }

  /** Reads nothing more; what was read stays. */
  stopReading(): void {
    for (const { reader } of this.#held.values()) reader.stop();
  }

  reportLag(): void {
    for (const [number, { partition }] of this.#held) {
      const lag = Math.max(0, partition.end - partition.deliveries.committable);
      this.#ports.metrics.lag(this.#topics.deliveries, number, lag);
    }
  }
}
