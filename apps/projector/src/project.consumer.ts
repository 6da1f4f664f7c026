import {
  CommitRefused,
  partitionName,
  type FeedHandler,
  type GainedPartition,
  type GroupMembership,
  type LogFeed,
  type LogRecord,
  type OffsetOutOfRange,
  type OwnershipListener,
  type TopicPartition,
} from '#libs/kafka';
import { PositionConflict } from '#libs/persistence';
import { RecordQueue, type Slice } from './record-queue.js';
import { backOff, SliceWriter, type SliceWriterOptions } from './slice-writer.js';

interface ProjectMetrics {
  projected(count: number): void;
  lag(topic: string, partition: number, records: number): void;
  partitionLost(topic: string, partition: number): void;
  partitionStopped(topic: string, partition: number): void;
}

export interface ProjectOptions extends SliceWriterOptions {
  readonly feed: LogFeed;
  membership(listener: OwnershipListener): GroupMembership;
  readonly metrics: ProjectMetrics;
  onFatal(error: Error): void;
  /** Records that are written at once. Default 1,000. */
  readonly batchRecords?: number;
  /** How long records wait for more, so that light traffic costs few transactions. Default 100 ms. */
  readonly lingerMs?: number;
}

interface Owned extends TopicPartition {
  readonly start: number;
  /** `opening`: its position is being asked for. `stopped`: with an alarm. */
  state: 'opening' | 'following' | 'stopped';
  /** Everything below is in Postgres, as far as we know. */
  position: number;
  end: number;
}

const commitEveryMs = 1_000;
const drainMs = 5_000;
const bound = { records: 8_000, bytes: 32 * 1024 * 1024 };

/**
 * The edge of the projector: which partitions are ours, from where each is read, when a batch is written. Positions are
 * those in Postgres; the group is told them too, for tools that show lag. A partition may be gone without our knowing:
 * then `store.apply` refuses, and the positions are read again.
 */
export class ProjectConsumer implements OwnershipListener {
  readonly #owned = new Map<string, Owned>();
  readonly #queue = new RecordQueue();
  readonly #writer: SliceWriter;
  readonly #membership: GroupMembership;
  readonly #dirty = new Set<Owned>();
  #joined = false;
  #paused = false;
  #stopping = false;
  #gaveUp = false;
  #lingering = false;
  #wake: () => void = () => undefined;
  #callOffCommit: (() => void) | undefined;
  #writing: Promise<void> = Promise.resolve();
  #loop: Promise<void> = Promise.resolve();

  constructor(private readonly options: ProjectOptions) {
    this.#membership = options.membership(this);
    this.#writer = new SliceWriter(options, {
      wanted: (slice) => !this.#gaveUp && this.#owned.get(partitionName(slice))?.state === 'following',
      startOf: (slice) => this.#owned.get(partitionName(slice))?.start ?? slice.from,
      reached: (slice) => this.#reached(slice),
      elsewhere: (slice, position) => this.#readOn(slice, position),
    });
  }

  /** Joins the group and begins; does not wait for either. */
  start(): void {
    this.#loop = this.#run();
    this.#loop.catch((bug: unknown) => this.options.onFatal(bug as Error));
    this.#membership.join().then(
      () => (this.#joined = true),
      (error: unknown) => this.options.onFatal(error as Error),
    );
  }

  /** Stops reading, writes what was read, commits, leaves the group. */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (const owned of this.#owned.values()) this.options.feed.unfollow(owned);
    this.#wake();
    let callOff = (): void => undefined;
    const late = new Promise<void>((resolve) => {
      callOff = this.options.schedule(drainMs, () => {
        this.#gaveUp = true;
        resolve();
      });
    });
    // Not for ever: a query may hang for a minute, and what is not written comes again from the log.
    await Promise.race([this.#loop, late]);
    callOff();
    await this.#commit();
    await this.#membership.leave();
    await this.options.feed.close();
  }

  /** For /readyz. */
  checkReady(): void {
    if (!this.#joined) throw new Error('waiting for the group to assign partitions');
    for (const owned of this.#owned.values()) {
      if (owned.state !== 'following') throw new Error(`${partitionName(owned)} is ${owned.state}`);
    }
  }

  onGained(partitions: readonly GainedPartition[]): void {
    const gained = partitions.map(({ topic, partition, bounds }): Owned => {
      return { topic, partition, start: bounds.start, state: 'opening', position: bounds.start, end: bounds.end };
    });
    for (const owned of gained) this.#owned.set(partitionName(owned), owned);
    this.#open(gained).catch((bug: unknown) => this.options.onFatal(bug as Error));
  }

  onLost(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) {
      const owned = this.#owned.get(partitionName(partition));
      if (owned === undefined) continue;
      this.#owned.delete(partitionName(partition));
      this.#dirty.delete(owned);
      this.options.feed.unfollow(partition);
      this.#queue.drop(partition);
      this.options.metrics.partitionLost(partition.topic, partition.partition);
    }
    this.#wake();
  }

  async beforeJoin(): Promise<void> {
    await this.#writing;
    await this.#commit();
  }

  onFatal(error: Error): void {
    this.options.onFatal(error);
  }

  /** Reads where Postgres is and goes on from there; for as long as Postgres does not answer, again and again. */
  async #open(partitions: readonly Owned[]): Promise<void> {
    let failures = 0;
    for (;;) {
      const wanted = partitions.filter((owned) => this.#holds(owned));
      if (wanted.length === 0 || this.#stopping) return;
      try {
        const stored = await this.options.store.open(wanted);
        const positions = new Map(stored.map((one) => [partitionName(one), one.position]));
        for (const owned of wanted) this.#follow(owned, positions.get(partitionName(owned)) ?? owned.start);
        return;
      } catch (error) {
        await backOff(this.options, error, failures++);
      }
    }
  }

  #follow(owned: Owned, position: number): void {
    if (!this.#holds(owned) || this.#stopping) return;
    owned.position = position;
    owned.state = 'following';
    this.#queue.open(owned, position);
    const handler: FeedHandler = {
      onRecords: (records, end) => this.#onRecords(owned, records, end),
      onOutOfRange: (error) => this.#onOutOfRange(owned, error),
    };
    this.options.feed.follow(owned, position, handler);
    if (this.#paused) this.options.feed.pause(owned);
  }

  #readOn(partition: TopicPartition, position: number): void {
    const owned = this.#owned.get(partitionName(partition));
    if (owned !== undefined) this.#follow(owned, position);
  }

  #onRecords(owned: Owned, records: readonly LogRecord[], end: number): void {
    owned.end = end;
    this.#queue.push(owned, records);
    this.options.metrics.lag(owned.topic, owned.partition, Math.max(0, end - owned.position));
    this.#regulate();
    if (this.#queue.records >= this.#batchRecords()) this.#wake();
    else if (records.length > 0 && !this.#lingering) {
      this.#lingering = true;
      this.options.schedule(this.options.lingerMs ?? 100, () => {
        this.#lingering = false;
        this.#wake();
      });
    }
  }

  #onOutOfRange(owned: Owned, { offset, bounds }: OffsetOutOfRange): void {
    const details = { topic: owned.topic, partition: owned.partition, position: offset, ...bounds };
    if (offset > bounds.end) {
      // This is not the log that the rows were made of. Nothing is guessed.
      owned.state = 'stopped';
      this.options.metrics.partitionStopped(owned.topic, owned.partition);
      this.options.logger.error(
        details,
        'the log ends before the stored position: the partition is stopped, rebuild the projection',
      );
      return;
    }
    owned.state = 'opening';
    const lost = bounds.start - offset;
    this.options.logger.error(
      { ...details, lost },
      'records expired before they were projected: the delivery log lacks them',
    );
    this.#skip(owned, offset, bounds.start).catch((bug: unknown) => this.options.onFatal(bug as Error));
  }

  async #skip(owned: Owned, from: number, to: number): Promise<void> {
    for (let failures = 0; this.#holds(owned) && !this.#stopping;) {
      try {
        await this.options.store.skip({ topic: owned.topic, partition: owned.partition, from, to });
        break;
      } catch (error) {
        if (error instanceof PositionConflict) break;
        await backOff(this.options, error, failures++);
      }
    }
    await this.#open([owned]);
  }

  async #run(): Promise<void> {
    for (;;) {
      if (this.#gaveUp || (this.#stopping && this.#queue.records === 0)) return;
      const ready =
        this.#queue.records >= this.#batchRecords() ||
        (this.#queue.records > 0 && (!this.#lingering || this.#stopping));
      if (!ready) {
        // What was dropped (lost, or written by another) makes room too, and a feed that is paused wakes nobody.
        this.#regulate();
        await new Promise<void>((resolve) => (this.#wake = resolve));
        continue;
      }
      const slices = this.#queue.take(this.#batchRecords());
      this.#regulate();
      this.#writing = this.#writer.write(slices);
      await this.#writing;
      this.#commitSoon();
    }
  }

  #reached(slice: Slice): void {
    const owned = this.#owned.get(partitionName(slice));
    if (owned === undefined) return;
    owned.position = slice.to;
    this.options.metrics.projected(slice.records.length);
    this.#dirty.add(owned);
    this.options.metrics.lag(owned.topic, owned.partition, Math.max(0, owned.end - owned.position));
  }

  #commitSoon(): void {
    this.#callOffCommit ??= this.options.schedule(commitEveryMs, () => {
      this.#callOffCommit = undefined;
      this.#commit().catch((bug: unknown) => this.options.onFatal(bug as Error));
    });
  }

  /** Only for those who look at the group's lag: a refusal changes nothing. */
  async #commit(): Promise<void> {
    this.#callOffCommit?.();
    this.#callOffCommit = undefined;
    const commits = [...this.#dirty].map(({ topic, partition, position }) => ({ topic, partition, offset: position }));
    this.#dirty.clear();
    if (commits.length === 0) return;
    try {
      await this.#membership.commit(commits);
    } catch (error) {
      if (!(error instanceof CommitRefused)) throw error;
      this.options.logger.debug({ err: error }, 'positions were not committed to the group');
    }
  }

  /** Reading stops while too much waits to be written. */
  #regulate(): void {
    const { records, bytes } = this.#queue;
    const full = records > bound.records || bytes > bound.bytes;
    const low = records <= bound.records / 2 && bytes <= bound.bytes / 2;
    if (this.#paused ? !low : !full) return;
    this.#paused = !this.#paused;
    for (const owned of this.#owned.values()) this.options.feed[this.#paused ? 'pause' : 'resume'](owned);
  }

  #holds(owned: Owned): boolean {
    return this.#owned.get(partitionName(owned)) === owned;
  }

  #batchRecords(): number {
    return this.options.batchRecords ?? 1_000;
  }
}
