import type { TopicNames } from '#libs/contracts';
import { OffsetOutOfRange, SendError, type GainedPartition, type TopicPartition } from '#libs/kafka';
import type { Backlog } from './backlog.js';
import type { Commits } from './commits.js';
import type { DelayTopicPorts } from './delay-topic.js';
import type { Intake } from './intake.js';
import type { Lanes } from './lanes.js';
import type { OwnedPartition } from './owned-partition.js';
import { PartitionReader, type PartitionReaderPorts } from './partition-reader.js';
import { restore, RestoreAlarm, type RestorePorts } from './restore.js';
import type { Without } from './rules.js';
import { startOf } from './start-positions.js';

export interface PartitionMetrics {
  lag(topic: string, partition: number, records: number): void;
  outstanding(partition: number, deliveries: number, endpointsOverBound: number): void;
  partitionLost(topic: string, partition: number): void;
  partitionStopped(topic: string, partition: number): void;
}

export interface HeldPartitionsPorts extends RestorePorts, Pick<PartitionReaderPorts, 'feed' | 'clock' | 'codecs'> {
  readonly codecs: RestorePorts['codecs'] & PartitionReaderPorts['codecs'];
  readonly clock: PartitionReaderPorts['clock'];
  readonly metrics: PartitionMetrics;
  readonly log: {
    info(details: object, message: string): void;
    warn(details: object, message: string): void;
    error(details: object, message: string): void;
  };
  readonly backlog: Backlog;
  readonly lanes: Lanes;
  readonly commits: Commits;
  readonly intake: Intake;
  /** Whether what is due may be taken up from a retry topic. */
  readonly mayTakeUp: DelayTopicPorts['mayTakeUp'];
  /** The lease. */
  readonly isHeld: () => boolean;
  /** There may be something to start. */
  pump(): void;
}

export interface HeldPartitionsOptions {
  readonly topics: Pick<TopicNames, 'deliveries' | 'retry' | 'attempts'>;
  readonly workerId: string;
  /** Outstanding deliveries, payloads or not, beyond which this worker reads no further: over all its partitions. */
  readonly maxOutstanding: number;
  readonly partitionMaxOutstanding: number;
  readonly endpointMaxOutstanding: number;
  readonly without: Without;
}

interface Held {
  readonly at: TopicPartition;
  alive: boolean;
  /** It could not be taken over, or met something that it may neither process nor skip. */
  alarm: boolean;
  owned: { readonly partition: OwnedPartition; readonly reader: PartitionReader } | null;
}

/** What a retry partition holds ahead of its time. */
const delayRecords = 1_000;
const delayBytes = 512 * 1_024;
const restoreAgainMs = 500;
/** A new leader may not know for a moment how far its log reaches. */
const outOfRangeTries = 4;

/** The partitions that the group has given to this worker: restores them, reads them, lets go of them. */
export class HeldPartitions {
  readonly #options: HeldPartitionsOptions;
  readonly #ports: HeldPartitionsPorts;
  readonly #held = new Map<number, Held>();
  /** The memory is full. */
  #paused = false;
  #readingOn = false;

  constructor(options: HeldPartitionsOptions, ports: HeldPartitionsPorts) {
    this.#options = options;
    this.#ports = ports;
  }

  /** Partitions that stopped with an alarm. */
  get stopped(): number {
    return [...this.#held.values()].filter(({ alarm }) => alarm).length;
  }

  /** Partitions that are being taken over. */
  get restoring(): number {
    return [...this.#held.values()].filter(({ alarm, owned }) => !alarm && owned === null).length;
  }

  partition(number: number): OwnedPartition | undefined {
    return this.#held.get(number)?.owned?.partition;
  }

  *partitions(): Iterable<OwnedPartition> {
    for (const { owned } of this.#held.values()) if (owned !== null) yield owned.partition;
  }

  take(gained: GainedPartition): void {
    const { topic, partition } = gained;
    const held: Held = { at: { topic, partition }, alive: true, alarm: false, owned: null };
    this.#held.set(partition, held);
    const start = startOf(gained);
    if (start.kind === 'alarm') this.#alarm(held, { topic, partition }, start.message);
    else void this.#restore(held, gained, start);
  }

  /** It is no longer ours. @returns what it was, if it had been taken over */
  letGo({ topic, partition: number }: TopicPartition): OwnedPartition | undefined {
    this.#ports.metrics.partitionLost(topic, number);
    const held = this.#held.get(number);
    if (held === undefined) return undefined;
    this.#held.delete(number);
    held.alive = false;
    if (held.owned === null) return undefined;
    const { partition, reader } = held.owned;
    partition.alive = false;
    reader.stop();
    this.#ports.commits.remove(partition);
    this.#ports.backlog.drop(partition);
    return partition;
  }

  /** It reads no further: what cannot be processed must not be skipped. What is in memory still comes to its end. */
  stop(partition: OwnedPartition, at: object, error: unknown): void {
    const held = this.#held.get(partition.number);
    if (held?.owned?.partition !== partition || held.alarm) return;
    partition.stopped = true;
    held.owned.reader.stop();
    this.#alarm(held, { ...at, err: error }, 'it needs a decision');
  }

  /** Reads on where that was put off, if it may. */
  readOn(): void {
    // What is read may start something, which may let others read on.
    if (this.#readingOn) return;
    this.#readingOn = true;
    const { isHigh, isFull } = this.#ports.backlog;
    this.#paused = this.#paused ? isHigh : isFull;
    for (const { owned } of this.#held.values()) {
      if (owned?.reader.isWaiting === true) owned.reader.readOn();
    }
    this.#readingOn = false;
  }

  /** Whether reading was put off somewhere. */
  get isWaiting(): boolean {
    for (const { owned } of this.#held.values()) {
      if (owned?.reader.isWaiting === true) return true;
    }
    return false;
  }

  /** Reads nothing more; what was read stays. */
  stopReading(): void {
    for (const { owned } of this.#held.values()) owned?.reader.stop();
  }

  report(): void {
    for (const partition of this.partitions()) {
      const lag = Math.max(0, partition.end - partition.deliveries.committable);
      this.#ports.metrics.lag(this.#options.topics.deliveries, partition.number, lag);
      const over = partition.endpointsOver(this.#options.endpointMaxOutstanding);
      this.#ports.metrics.outstanding(partition.number, partition.ledger.size, over);
    }
  }

  /** Tries as long as it is held: brokers may be away. */
  async #restore(
    held: Held,
    gained: GainedPartition,
    start: Extract<ReturnType<typeof startOf>, { kind: 'positions' }>,
  ) {
    const { topics, workerId, without } = this.#options;
    const { clock, log, isHeld } = this.#ports;
    const began = clock.monotonic();
    const request = {
      topics,
      partition: gained.partition,
      generation: gained.generation,
      committed: start.committed,
      metadata: start.metadata,
      deliveriesEnd: gained.bounds.end,
      workerId,
      without,
      held: () => held.alive && isHeld(),
    };
    let outside = 0;
    for (let failures = 0; held.alive; failures += 1) {
      try {
        const partition = await restore(request, this.#ports);
        if (!held.alive) return;
        this.#begin(held, partition, gained.committed);
        const tookMs = Math.round(clock.monotonic() - began);
        log.info({ ...held.at, outstanding: partition.ledger.size, tookMs }, 'a partition is taken over');
        return;
      } catch (error) {
        if (!held.alive || (error instanceof SendError && error.code === 'closed')) return;
        if (error instanceof OffsetOutOfRange) outside += 1;
        const isOutside = outside > outOfRangeTries;
        // Without the lease another may have it by now, whose fences and deletions are no alarm.
        if (isHeld() && (error instanceof RestoreAlarm || isOutside || isBug(error))) {
          this.#alarm(held, { ...held.at, err: error }, error instanceof Error ? error.message : String(error));
          return;
        }
        log.warn({ ...held.at, failures, err: error }, 'a partition cannot be taken over yet');
        await new Promise<void>((resolve) => void clock.schedule(restoreAgainMs, resolve));
      }
    }
  }

  #begin(held: Held, partition: OwnedPartition, committed: GainedPartition['committed']): void {
    const { feed, clock, codecs, log, intake, lanes, commits, mayTakeUp } = this.#ports;
    const pump = (): void => this.#ports.pump();
    const options = { topics: this.#options.topics, delayRecords, delayBytes };
    let isBegun = false;
    const reader = new PartitionReader(partition, options, {
      feed,
      clock,
      codecs,
      log,
      intake,
      delays: { feed, clock, mayTakeUp, takeUp: (due) => intake.takeUp(due), done: pump },
      mayRead: () => !this.#paused && !lanes.isCrowded(partition.number) && this.#hasRoom(partition),
      batchRead: () => {
        if (partition.isPastTakeOver) partition.forgetClosed();
        intake.freed(partition.readFurther());
        if (!isBegun && partition.isPastRestored) {
          // What waited for an endpoint that was paused then need not wait until its copies come round.
          isBegun = true;
          for (const share of partition.shares()) intake.pull(share);
        }
        pump();
      },
      superseded: (of) => {
        log.warn({ ...held.at }, 'another worker has this partition now');
        of.stopped = true;
        reader.stop();
      },
      stopped: (of, at, error) => this.#stopOwn(held, of, at, error),
    });
    held.owned = { partition, reader };
    commits.add(partition, committed);
    reader.start();
    pump();
  }

  /** To an owner of yesterday the log begins too late, since another has settled and deleted: that is no alarm. */
  #stopOwn(held: Held, partition: OwnedPartition, at: object, error: unknown): void {
    const { clock, isHeld } = this.#ports;
    if (!held.alive) return;
    if (isHeld() || !(error instanceof OffsetOutOfRange)) this.stop(partition, at, error);
    else clock.schedule(restoreAgainMs, () => this.#stopOwn(held, partition, at, error));
  }

  /** What was outstanding at take-over may wait for `deliveries` to be read: it is read that far in any case. */
  #hasRoom(partition: OwnedPartition): boolean {
    if (!partition.isPastRestored) return true;
    if (partition.ledger.size >= this.#options.partitionMaxOutstanding) return false;
    let outstanding = 0;
    for (const { ledger } of this.partitions()) outstanding += ledger.size;
    return outstanding < this.#options.maxOutstanding;
  }

  #alarm(held: Held, details: object, message: string): void {
    if (!held.alive) return;
    held.alarm = true;
    this.#ports.log.error(details, `partition stopped: ${message}`);
    this.#ports.metrics.partitionStopped(this.#options.topics.deliveries, held.at.partition);
  }
}

/** Trying again would not help. */
const isBug = (error: unknown): boolean =>
  error instanceof TypeError || error instanceof RangeError || (error instanceof Error && error.name === 'CodecError');
