/**
 * What the rest of Posthorn knows of Kafka. Two adapters implement these ports, the real one over kafkajs and an
 * in-memory double; `libs/kafka/src/*.contract.ts` is the one suite that holds both to it.
 *
 * Offsets are plain numbers (safe up to 2^53). Times named `…At` are Unix milliseconds. Times of the lease are
 * milliseconds of a monotonic clock (`performance.now()`), because a wall clock may jump.
 */

/** A record as it stands in the log. `timestamp` is the broker's append time (all our topics use LogAppendTime). */
export interface LogRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, Buffer>>;
}

/** A record to append. The caller chooses the partition (`partitionFor` in libs/contracts). */
export interface OutgoingRecord {
  readonly topic: string;
  readonly partition: number;
  readonly key: string | Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: Readonly<Record<string, string | Buffer>>;
}

export interface SendOptions {
  /**
   * Asked before every try. When it answers false the records are not sent (again) and the call rejects with
   * `SendError` code `not-held`: a worker that lost its lease or its partition must not append any more.
   */
  readonly held?: () => boolean;
  /** Give up after this many milliseconds (`SendError` code `timeout`; the outcome is unknown). Default: never. */
  readonly timeoutMs?: number;
}

/** Appends records durably: all in-sync replicas have them when `send` resolves. */
export interface RecordSender {
  /**
   * Calls that are made while a send is on its way are grouped into the next one. Records of one call to one partition
   * keep their order; so do successive calls.
   * @returns per record, in the given order, where it stands. `offset` is exact unless the send had to be repeated by a
   * fresh producer, in which case it is that of the last, acknowledged copy.
   */
  send(records: readonly OutgoingRecord[], options?: SendOptions): Promise<readonly RecordPosition[]>;
  /** Finishes what was accepted, then disconnects. */
  close(): Promise<void>;
}

export interface RecordPosition {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/**
 * - `too-large`: a record, alone, exceeds the limit; nothing of this call was sent.
 * - `not-held`: see `SendOptions.held`. The records may or may not stand in the log.
 * - `timeout`: no acknowledgement in time. The records may or may not stand in the log.
 * - `closed`: the sender was closed before; nothing was sent.
 * - `refused`: the broker refuses some of the records for good (authorization, no key in a compacted topic, …). Those were
 *   not written, others of the call may have been.
 */
export type SendErrorCode = 'too-large' | 'not-held' | 'timeout' | 'closed' | 'refused';

export class SendError extends Error {
  override readonly name = 'SendError';
  constructor(
    readonly code: SendErrorCode,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** `topic-partition`, for messages and as a key. */
export function partitionName({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`;
}

/** `start` is the first offset that is still there, `end` the one that the next record will get. */
export interface LogBounds {
  readonly start: number;
  readonly end: number;
}

/** Reads any partition from any offset, without a group. */
export interface LogReader {
  /** Bounds of each partition, in the given order. */
  bounds(partitions: readonly TopicPartition[]): Promise<readonly LogBounds[]>;
  /** First offset whose append time is at or after `timestamp` (the end, if there is none), in the given order. */
  offsetsAt(partitions: readonly TopicPartition[], timestamp: number): Promise<readonly number[]>;
  /**
   * Reads `[from, to)` of one partition, in order, in batches, at the consumer's pace (the next batch is fetched ahead,
   * no more). Ends at `to`. Throws `OffsetOutOfRange` if `from` is below the log's start or beyond its end.
   */
  range(partition: TopicPartition, from: number, to: number): AsyncIterable<readonly LogRecord[]>;
  close(): Promise<void>;
}

export class OffsetOutOfRange extends Error {
  override readonly name = 'OffsetOutOfRange';
  constructor(
    readonly at: TopicPartition,
    readonly offset: number,
    readonly bounds: LogBounds,
  ) {
    super(
      `${at.topic}-${at.partition} has no offset ${offset}: its log reaches from ${bounds.start} to ${bounds.end}. ` +
        `Nothing was skipped; decide where to go on.`,
    );
  }
}

export interface FeedHandler {
  /**
   * Most records of one call: the rest of a fetch comes in further turns of the event loop, so that others get theirs in
   * between. Default: all of it at once.
   */
  readonly atOnce?: number;
  /**
   * Records in offset order, without gap or repeat since `follow`. Synchronous: enqueue and return. `end` is the log's
   * end as known by this fetch. Also called with no records when the end was learnt and nothing (more) is there to read:
   * all below `end` has then been delivered, also where the last offsets are transaction markers or were compacted away.
   */
  onRecords(records: readonly LogRecord[], end: number): void;
  /** The position is outside of the log; the partition is no longer followed. */
  onOutOfRange(error: OffsetOutOfRange): void;
}

/**
 * Follows many partitions as they grow, each from its own offset; one long poll per broker. Errors of the network are
 * retried for ever and logged; positions are never moved by themselves.
 */
export interface LogFeed {
  /** Starts reading at `offset`; replaces what was followed of that partition before. */
  follow(partition: TopicPartition, offset: number, handler: FeedHandler): void;
  /** Stops delivering at once (records that are fetched already are kept for `resume`). Idempotent. */
  pause(partition: TopicPartition): void;
  resume(partition: TopicPartition): void;
  /** No call of its handler comes after this returns. */
  unfollow(partition: TopicPartition): void;
  close(): Promise<void>;
}

/** A commit as it stands in the group: everything below `offset` is done. */
export interface Committed {
  readonly offset: number;
  readonly metadata: string;
}

/** A partition that this member has gained. It is held from `generation` on, until it is lost. */
export interface GainedPartition extends TopicPartition {
  readonly generation: number;
  readonly committed: Committed | null;
  readonly bounds: LogBounds;
}

export interface PartitionCommit extends TopicPartition {
  readonly offset: number;
  readonly metadata?: string;
}

export interface OwnershipListener {
  /** Called after the join, with commits and bounds read. Reading and sending for these may begin. */
  onGained(partitions: readonly GainedPartition[]): void;
  /** These are no longer ours (or were not without a break: `onGained` follows). Stop all work on them, commit nothing. */
  onLost(partitions: readonly TopicPartition[]): void;
  /**
   * A JoinGroup is about to be sent: finish and commit what can be finished within a second. The join goes on when the
   * promise settles or after that second, whichever is first.
   */
  beforeJoin(): Promise<void>;
  /** The membership cannot go on (see KAFKAJS.md: a silently dead consumer). The process should exit with a failure. */
  onFatal(error: Error): void;
}

/** A place in a consumer group: which partitions are ours, until when, and the owner's commits. Reads no records. */
export interface GroupMembership {
  /** Resolves when the first assignment has been received. */
  join(): Promise<void>;
  /**
   * Monotonic time (ms, `performance.now()`) until which this member may start, append or commit. It is the send time
   * of the last acknowledged heartbeat (or SyncGroup) plus two thirds of the session timeout; `-Infinity` while joining.
   */
  heldUntil(): number;
  /** Partitions held now. */
  owned(): readonly TopicPartition[];
  /**
   * Commits for held partitions under the generation that confirmed them; never retried into another generation.
   * Throws `CommitRefused`.
   */
  commit(commits: readonly PartitionCommit[]): Promise<void>;
  /** Leaves the group at once (drain and commit first). */
  leave(): Promise<void>;
}

/** `not-owner`: not (or no longer) ours: drop the work. `unavailable`: the coordinator did not answer; try again later. */
export class CommitRefused extends Error {
  override readonly name = 'CommitRefused';
  constructor(
    readonly code: 'not-owner' | 'unavailable',
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

export interface TopicSettings {
  readonly name: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly config: Readonly<Record<string, string>>;
}

export interface TopicAdministration {
  /**
   * Creates what is missing, and waits until each partition has a leader. What exists is checked.
   * @returns one line for each mismatch that it cannot mend (partition count, replication, a setting); empty when all is well.
   */
  ensure(topics: readonly TopicSettings[]): Promise<readonly string[]>;
  /** Partition count of each existing topic; `null` where there is none. */
  partitionCounts(topics: readonly string[]): Promise<ReadonlyMap<string, number | null>>;
  /** Deletes records below `before` (Kafka's DeleteRecords). */
  deleteRecordsBefore(positions: readonly RecordPosition[]): Promise<void>;
  /** A setting of the brokers, such as `offsets.retention.minutes`; null when unknown. */
  brokerSetting(name: string): Promise<string | null>;
  /** What a group has committed for each partition, in the given order; null where there is nothing. */
  committed(groupId: string, partitions: readonly TopicPartition[]): Promise<readonly (Committed | null)[]>;
  /**
   * Sets positions of a group that has no members: an operator's decision, or the first ones. Throws `CommitRefused`
   * `not-owner` while it has any, and changes nothing then.
   */
  setCommits(groupId: string, commits: readonly PartitionCommit[]): Promise<void>;
  close(): Promise<void>;
}

/** Everything together: what an app receives. Each call opens connections of its own. */
export interface KafkaLog {
  sender(options?: {
    readonly name?: string;
    /**
     * How long the first record of a request waits for company, in milliseconds. Default 0: until the end of this turn of
     * the event loop. For a caller with many small calls, each of which costs the broker a request otherwise.
     */
    readonly lingerMs?: number;
  }): RecordSender;
  reader(): LogReader;
  feed(): LogFeed;
  membership(options: {
    readonly groupId: string;
    readonly topics: readonly string[];
    readonly listener: OwnershipListener;
  }): GroupMembership;
  administration(): TopicAdministration;
  /** Resolves when the brokers answer; rejects with the reason otherwise. For /readyz. */
  ping(): Promise<void>;
}

/** Where the brokers are, and how to speak to them. */
/** All PEM. */
export interface BrokerTls {
  /** Authorities that may have signed the brokers' certificates, in the place of the public ones. */
  readonly ca?: string;
  /** The client's own certificate, and its key. */
  readonly cert?: string;
  readonly key?: string;
}

export interface KafkaConnection {
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** Default: none. `true`: TLS, with certificates that public authorities have signed. */
  readonly tls?: boolean | BrokerTls;
  readonly sasl?: {
    readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
    readonly username: string;
    readonly password: string;
  };
  /** Default 10,000. */
  readonly sessionTimeoutMs?: number;
  /** Largest record (key, value, headers) in bytes; `SendError` `too-large` beyond it. Default 1,000,000. */
  readonly maxRecordBytes?: number;
  /** Of what is sent; what is read may be plain, gzip, snappy, lz4 or zstd. Default `none`. */
  readonly compression?: 'none' | 'zstd';
  /** Receives what the client wants logged. Default: nowhere. */
  readonly log?: (entry: { level: 'debug' | 'info' | 'warn' | 'error'; message: string; details: object }) => void;
}
