import type {
  Committed,
  FeedHandler,
  KafkaLog,
  LogBounds,
  LogFeed,
  LogReader,
  RecordSender,
  TopicAdministration,
  TopicPartition,
} from '#libs/kafka';
import type { ConfigTopic } from './ingest/tenant-directory.js';

/** Requests come one event each; a moment's company makes one append of them, which the brokers thank with throughput. */
const ingestLingerMs = 2;

/** The connections of the API to Kafka. Configuration has a sender of its own, so that a burst of events cannot hold it up. */
export class ApiLog implements ConfigTopic {
  readonly ingestSender: RecordSender;
  readonly outboxSender: RecordSender;
  readonly reader: LogReader;
  readonly #feed: LogFeed;
  readonly #administration: TopicAdministration;

  constructor(kafka: KafkaLog) {
    this.ingestSender = kafka.sender({ name: 'ingest', lingerMs: ingestLingerMs });
    this.outboxSender = kafka.sender({ name: 'outbox' });
    this.reader = kafka.reader();
    this.#feed = kafka.feed();
    this.#administration = kafka.administration();
  }

  bounds(partitions: readonly TopicPartition[]): Promise<readonly LogBounds[]> {
    return this.reader.bounds(partitions);
  }

  follow(partition: TopicPartition, offset: number, handler: FeedHandler): void {
    this.#feed.follow(partition, offset, handler);
  }

  /** What a group has committed for each partition, in the given order. */
  committed(groupId: string, partitions: readonly TopicPartition[]): Promise<readonly (Committed | null)[]> {
    return this.#administration.committed(groupId, partitions);
  }

  async close(): Promise<void> {
    const all = [this.ingestSender, this.outboxSender, this.reader, this.#feed, this.#administration];
    await Promise.all(all.map((one) => one.close()));
  }
}
