import type { TopicNames } from '#libs/contracts';
import type { OffsetTracker } from '#libs/core';
import type { FeedHandler, LogRecord, TopicPartition } from '#libs/kafka';
import type { PlatformCodecs } from '#libs/schema-codec';
import { followDecoded, type DecodedFeedPorts } from './decoded-feed.js';
import { DelayTopic, type DelayTopicPorts } from './delay-topic.js';
import type { Intake } from './intake.js';
import type { OwnedPartition } from './owned-partition.js';
import { RetryReader, type RetryCodecs } from './retry-reader.js';

export interface PartitionReaderPorts extends DecodedFeedPorts {
  readonly codecs: DecodedFeedPorts['codecs'] &
    RetryCodecs &
    Pick<PlatformCodecs, 'delivery' | 'endOfSpace' | 'isEndOfSpace'>;
  readonly intake: Intake;
  readonly delays: DelayTopicPorts;
  /** Whether the next record of `deliveries` may be taken now. */
  mayRead(): boolean;
  /** A batch of `deliveries` was taken in. */
  batchRead(): void;
  /** A fence of another owner was met: it has the partition now, whatever we were told. */
  superseded(partition: OwnedPartition): void;
  /** It can neither process this nor skip it. */
  stopped(partition: OwnedPartition, at: TopicPartition & { readonly offset: number }, error: unknown): void;
}

export interface PartitionReaderOptions {
  readonly topics: Pick<TopicNames, 'deliveries' | 'retry'>;
  /** What one retry partition holds ahead of its time. */
  readonly delayRecords: number;
  readonly delayBytes: number;
}

/** Reads partition p of `deliveries` and of every retry topic for as long as it is owned. */
export class PartitionReader {
  readonly #partition: OwnedPartition;
  readonly #options: PartitionReaderOptions;
  readonly #ports: PartitionReaderPorts;
  readonly #stops: (() => void)[] = [];
  /** Of `deliveries`: fetched, and taken up to here. */
  #ahead: LogRecord[] = [];
  #taken = 0;
  #paused = false;
  #stopped = false;

  constructor(partition: OwnedPartition, options: PartitionReaderOptions, ports: PartitionReaderPorts) {
    this.#partition = partition;
    this.#options = options;
    this.#ports = ports;
  }

  /** Starts where the partition was committed; of what was restored, only the payloads are read. */
  start(): void {
    for (const index of this.#options.topics.retry.keys()) this.#followRetry(index);
    const { deliveries } = this.#partition;
    this.#follow(this.#deliveries, deliveries.next, (records, end) => {
      this.#partition.end = end;
      for (const record of records) this.#ahead.push(record);
      this.readOn();
      if (records.length === 0 && !this.isWaiting) deliveries.reached(end);
      this.#ports.batchRead();
    });
  }

  /** Whether records of `deliveries` are here that it was told not to take yet. */
  get isWaiting(): boolean {
    return this.#taken < this.#ahead.length;
  }

  /** Takes what is here of `deliveries`, as far as it may; the feed pauses while something is left. */
  readOn(): void {
    for (let record = this.#ahead[this.#taken]; record !== undefined; record = this.#ahead[this.#taken]) {
      if (this.#stopped || !this.#ports.mayRead()) break;
      this.#taken += 1;
      this.#take(record);
    }
    if (!this.isWaiting) this.#ahead = [];
    if (!this.isWaiting) this.#taken = 0;
    if (this.#paused === this.isWaiting || this.#stopped) return;
    this.#paused = this.isWaiting;
    if (this.#paused) this.#ports.feed.pause(this.#deliveries);
    else this.#ports.feed.resume(this.#deliveries);
  }

  stop(): void {
    this.#stopped = true;
    this.#ahead = [];
    this.#taken = 0;
    for (const stop of this.#stops.splice(0)) stop();
  }

  get #deliveries(): TopicPartition {
    return { topic: this.#options.topics.deliveries, partition: this.#partition.number };
  }

  #take(record: LogRecord): void {
    const { codecs, intake } = this.#ports;
    const { deliveries } = this.#partition;
    deliveries.track(record.offset, this.#partition.stampOf(record.offset));
    this.#orStop(record, () => {
      if (record.value === null) throw new RangeError('a record without a value');
      this.#partition.seen.readAt(record.timestamp);
      if (!codecs.isEndOfSpace(record.value)) {
        intake.fresh(this.#partition, record, codecs.delivery.decode(record.value));
        return;
      }
      this.#partition.seen.end(codecs.endOfSpace.decode(record.value), record.offset, record.timestamp);
      this.#partition.ledger.settle({ tracker: deliveries, offset: record.offset });
    });
  }

  #followRetry(index: number): void {
    const { topics, delayRecords, delayBytes } = this.#options;
    const partition = this.#partition;
    const retry = topics.retry[index];
    const position = partition.taken.retryPositions[index];
    if (retry === undefined || position === undefined) return;
    const at = { topic: retry.name, partition: partition.number };
    const bounds = { delayMs: retry.delayMs, maxRecords: delayRecords, maxBytes: delayBytes };
    const topic = new DelayTopic(partition, at, bounds, this.#ports.delays);
    this.#stops.push(() => topic.close());
    const tracker: OffsetTracker | undefined = partition.retries[index];
    const reader = new RetryReader(partition, index, this.#ports.codecs, {
      hold: (record, entry, delivery) => topic.hold(record, entry, delivery),
      superseded: () => this.#ports.superseded(partition),
    });
    this.#follow(at, position, (records, end) => {
      for (const record of records) {
        this.#orStop(record, () => reader.read(record));
        if (this.#stopped) return;
      }
      if (records.length > 0) return;
      tracker?.reached(end);
      partition.readTo[index] = Math.max(end, partition.readTo[index] ?? 0);
    });
  }

  #follow(at: TopicPartition, from: number, onRecords: FeedHandler['onRecords']): void {
    const stop = followDecoded(this.#ports, at, from, {
      onRecords: (records, end) => {
        if (!this.#stopped) onRecords(records, end);
      },
      onOutOfRange: (error) => this.#ports.stopped(this.#partition, { ...at, offset: error.offset }, error),
    });
    this.#stops.push(stop);
  }

  /** A record that cannot be read was tracked and is never settled: no commit passes it. */
  #orStop({ topic, partition, offset }: LogRecord, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#ports.stopped(this.#partition, { topic, partition, offset }, error);
    }
  }
}
