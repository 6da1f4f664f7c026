import { InMemoryFeed } from './in-memory-feed.js';
import { InMemoryGroup, InMemoryMembership } from './in-memory-group.js';
import type { InMemoryStore, StoredPartition } from './in-memory-store.js';
import { recordBytes } from './record-batch.js';
import {
  OffsetOutOfRange,
  partitionName,
  SendError,
  type Committed,
  type KafkaLog,
  type LogBounds,
  type LogReader,
  type LogRecord,
  type OutgoingRecord,
  type OwnershipListener,
  type RecordPosition,
  type RecordSender,
  type SendOptions,
  type TopicAdministration,
  type TopicPartition,
  type TopicSettings,
} from './ports.js';

export interface InMemoryOptions {
  /** Append times. Default: one millisecond more for each record, from 0. */
  readonly now?: () => number;
  /** Clock of leases. Default `performance.now`. */
  readonly monotonic?: () => number;
  /** Runs a task later, in the order of the calls. Default: as a microtask. */
  readonly defer?: (task: () => void) => void;
  /** Runs a task after some milliseconds; returns how to call it off. Without it nothing times out. */
  readonly after?: (ms: number, task: () => void) => () => void;
  readonly sessionTimeoutMs?: number;
  readonly maxRecordBytes?: number;
  readonly brokerSettings?: Readonly<Record<string, string>>;
}

const recordsPerBatch = 500;

/** The double of Kafka: same ports, same contract, in one process, with no time of its own. */
export class InMemoryLog implements KafkaLog, InMemoryStore {
  readonly monotonic: () => number;
  readonly defer: (task: () => void) => void;
  readonly sessionTimeoutMs: number;
  readonly after: InMemoryStore['after'];
  /** While false nothing is acknowledged or fetched, as with brokers that are away. */
  available = true;
  private readonly now: () => number;
  private readonly topics = new Map<
    string,
    { readonly settings: TopicSettings; readonly partitions: StoredPartition[] }
  >();
  private readonly groups = new Map<string, InMemoryGroup>();
  private readonly feeds = new Set<InMemoryFeed>();
  private readonly waiting: (() => void)[] = [];
  private appended = 0;

  constructor(private readonly options: InMemoryOptions = {}) {
    this.after = options.after ?? (() => () => undefined);
    this.now = options.now ?? (() => this.appended++);
    this.monotonic = options.monotonic ?? (() => performance.now());
    this.defer = options.defer ?? queueMicrotask;
    this.sessionTimeoutMs = options.sessionTimeoutMs ?? 10_000;
  }

  createTopic(name: string, partitions: number, config: Readonly<Record<string, string>> = {}): void {
    this.topics.set(name, {
      settings: { name, partitions, replicationFactor: 1, config },
      partitions: Array.from({ length: partitions }, () => ({ start: 0, records: [] })),
    });
  }

  /** All records of a topic as they stand, by partition and offset. */
  recordsOf(topic: string): readonly LogRecord[] {
    return (this.topics.get(topic)?.partitions ?? []).flatMap(({ records }) => records);
  }

  setAvailable(available: boolean): void {
    this.available = available;
    if (!available) return;
    for (const task of this.waiting.splice(0)) this.defer(task);
    for (const feed of this.feeds) feed.wake();
  }

  /** Appends at once, as the broker does when a request has come to it: for a simulation with a network of its own. */
  write(records: readonly OutgoingRecord[]): readonly RecordPosition[] {
    return records.map((record) => this.store(record));
  }

  /** What a group has committed, by `partitionName`: the broker's own, to be read and set. */
  commitsOf(groupId: string): Map<string, Committed> {
    return this.groupOf(groupId).commits;
  }

  stored({ topic, partition }: TopicPartition): StoredPartition | undefined {
    return this.topics.get(topic)?.partitions[partition];
  }

  partitionsOf(topics: readonly string[]): TopicPartition[] {
    return topics.flatMap((topic) =>
      (this.topics.get(topic)?.partitions ?? []).map((_, partition) => ({ topic, partition })),
    );
  }

  boundsOf(at: TopicPartition): LogBounds {
    const stored = this.stored(at);
    if (stored === undefined) throw new Error(`there is no ${partitionName(at)}`);
    return { start: stored.start, end: stored.start + stored.records.length };
  }

  sender(): RecordSender {
    let closed = false;
    const unsettled = new Set<Promise<unknown>>();
    return {
      send: async (records, options = {}) => {
        if (closed) throw new SendError('closed', 'the sender was closed');
        const limit = this.options.maxRecordBytes ?? 1_000_000;
        const large = records.find((record) => recordBytes(record) > limit);
        if (large !== undefined) throw new SendError('too-large', `a record for ${large.topic} exceeds ${limit} bytes`);
        const sent = this.append(records, options);
        unsettled.add(sent);
        try {
          return await sent;
        } finally {
          unsettled.delete(sent);
        }
      },
      close: async () => {
        closed = true;
        await Promise.allSettled(unsettled);
      },
    };
  }

  reader(): LogReader {
    return {
      bounds: async (partitions) => Promise.resolve(partitions.map((one) => this.boundsOf(one))),
      offsetsAt: async (partitions, timestamp) =>
        Promise.resolve(
          partitions.map((one) => {
            const { end } = this.boundsOf(one);
            return this.stored(one)?.records.find((record) => record.timestamp >= timestamp)?.offset ?? end;
          }),
        ),
      range: (partition, from, to) => this.range(partition, from, to),
      close: () => Promise.resolve(),
    };
  }

  feed(): InMemoryFeed {
    const feed = new InMemoryFeed(this, () => this.feeds.delete(feed));
    this.feeds.add(feed);
    return feed;
  }

  membership(options: { groupId: string; topics: readonly string[]; listener: OwnershipListener }): InMemoryMembership {
    return new InMemoryMembership(this, this.groupOf(options.groupId), options.topics, options.listener);
  }

  administration(): TopicAdministration {
    return {
      ensure: async (topics) => Promise.resolve(topics.flatMap((topic) => this.ensured(topic))),
      partitionCounts: async (topics) =>
        Promise.resolve(new Map(topics.map((topic) => [topic, this.topics.get(topic)?.partitions.length ?? null]))),
      deleteRecordsBefore: async (positions) => {
        for (const position of positions) this.deleteBefore(position);
        await Promise.resolve();
      },
      brokerSetting: async (name) => Promise.resolve(this.options.brokerSettings?.[name] ?? null),
      committed: async (groupId, partitions) => {
        const { commits } = this.groupOf(groupId);
        return Promise.resolve(partitions.map((one) => commits.get(partitionName(one)) ?? null));
      },
      setCommits: async (groupId, commits) => {
        await Promise.resolve();
        this.groupOf(groupId).set(groupId, commits);
      },
      close: () => Promise.resolve(),
    };
  }

  async ping(): Promise<void> {
    if (!this.available) throw new Error('no broker answers');
    await Promise.resolve();
  }

  private groupOf(groupId: string): InMemoryGroup {
    const group = this.groups.get(groupId) ?? new InMemoryGroup(this);
    this.groups.set(groupId, group);
    return group;
  }

  private append(
    records: readonly OutgoingRecord[],
    { held, timeoutMs }: SendOptions,
  ): Promise<readonly RecordPosition[]> {
    const { promise, resolve, reject } = Promise.withResolvers<readonly RecordPosition[]>();
    let late = false;
    const callOff =
      timeoutMs === undefined
        ? undefined
        : this.after(timeoutMs, () => {
            late = true;
            reject(new SendError('timeout', `no acknowledgement within ${timeoutMs} ms`));
          });
    const attempt = () => {
      if (late) return;
      if (!this.available) return void this.waiting.push(attempt);
      callOff?.();
      if (held?.() === false) return reject(new SendError('not-held', 'the right to append ended before'));
      const unknown = records.find((record) => this.stored(record) === undefined);
      if (unknown !== undefined) return reject(new SendError('refused', `there is no ${partitionName(unknown)}`));
      resolve(records.map((record) => this.store(record)));
      for (const feed of this.feeds) feed.wake();
    };
    this.defer(attempt);
    return promise;
  }

  private store({ topic, partition, key, value, headers = {} }: OutgoingRecord): RecordPosition {
    const stored = this.stored({ topic, partition });
    if (stored === undefined) throw new Error(`there is no ${topic}-${partition}`);
    const offset = stored.start + stored.records.length;
    const bytes = (content: string | Buffer) => (typeof content === 'string' ? Buffer.from(content) : content);
    stored.records.push({
      topic,
      partition,
      offset,
      timestamp: this.now(),
      key: key === null ? null : bytes(key),
      value,
      headers: Object.fromEntries(Object.entries(headers).map(([name, content]) => [name, bytes(content)])),
    });
    return { topic, partition, offset };
  }

  private async *range(partition: TopicPartition, from: number, to: number): AsyncIterable<readonly LogRecord[]> {
    for (let position = from; position < to;) {
      const bounds = this.boundsOf(partition);
      if (position < bounds.start || position > bounds.end) throw new OffsetOutOfRange(partition, position, bounds);
      const at = position - bounds.start;
      const records = this.stored(partition)?.records.slice(at, at + Math.min(recordsPerBatch, to - position)) ?? [];
      position += records.length;
      // Beyond the end it waits for more, as a fetch does.
      if (records.length === 0) await new Promise<void>((resolve) => this.defer(resolve));
      else yield records;
    }
  }

  private ensured(wanted: TopicSettings): string[] {
    const known = this.topics.get(wanted.name);
    if (known === undefined) {
      this.createTopic(wanted.name, wanted.partitions, wanted.config);
      return [];
    }
    const lines: string[] = [];
    const { settings } = known;
    if (settings.partitions !== wanted.partitions) {
      lines.push(`${wanted.name} has ${settings.partitions} partitions, wanted ${wanted.partitions}`);
    }
    for (const [key, value] of Object.entries(wanted.config)) {
      const is = settings.config[key] ?? '(not set)';
      if (is !== value) lines.push(`${wanted.name} has ${key}=${is}, wanted ${value}`);
    }
    return lines;
  }

  private deleteBefore({ topic, partition, offset }: RecordPosition): void {
    const stored = this.stored({ topic, partition });
    const { start, end } = this.boundsOf({ topic, partition });
    if (stored === undefined || offset > end)
      throw new RangeError(`${topic}-${partition} has no such offset to delete before`);
    if (offset <= start) return;
    stored.records.splice(0, offset - start);
    stored.start = offset;
  }
}
