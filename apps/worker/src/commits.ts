import { CommitRefused, type GroupMembership, type PartitionCommit } from '#libs/kafka';
import type { Clock } from './clock.js';
import { commitPointOf, type CommitPoint } from './commit-point.js';
import type { OwnedPartition } from './owned-partition.js';
import type { Without } from './rules.js';

export interface CommitsOptions {
  readonly topic: string;
  /** Delays of the retry topics, shortest first. */
  readonly delaysMs: readonly number[];
  readonly everyMs: number;
  /** Commits earlier when so many copies have settled. */
  readonly everyRecords: number;
  readonly without: Without;
}

export interface CommitsPorts {
  readonly membership: Pick<GroupMembership, 'commit'>;
  readonly clock: Clock;
  /** The lease: whether this process may commit now. */
  mayCommit(): boolean;
  log: { warn(details: object, message: string): void };
}

/** Positions are committed anew after this long even if nothing moved: the broker forgets old ones. */
const renewAfterMs = 6 * 3_600_000;

interface Last {
  readonly offset: number;
  readonly metadata: string;
  readonly at: number;
}

/** An owner that has settled nothing is no better than those before it: see Restore, poison. */
const heldFenceMs = 600_000;

/** Commits what has settled, contiguously, for all held partitions at once; one commit on its way at a time. */
export class Commits {
  readonly #options: CommitsOptions;
  readonly #ports: CommitsPorts;
  readonly #last = new Map<OwnedPartition, Last>();
  readonly #acknowledged = new Map<OwnedPartition, CommitPoint>();
  #running: Promise<void> | null = null;
  #disarm: () => void = () => undefined;

  constructor(options: CommitsOptions, ports: CommitsPorts) {
    this.#options = options;
    this.#ports = ports;
  }

  start(): void {
    this.#disarm = this.#ports.clock.schedule(this.#options.everyMs, () => {
      this.start();
      void this.#commitOnce();
    });
  }

  stop(): void {
    this.#disarm();
  }

  /** A partition was gained; `committed` is what the group has of it. */
  add(partition: OwnedPartition, committed: { readonly offset: number; readonly metadata: string } | null): void {
    const none = { offset: partition.deliveries.next, metadata: '' };
    this.#last.set(partition, { ...(committed ?? none), at: this.#ports.clock.now() });
  }

  remove(partition: OwnedPartition): void {
    this.#last.delete(partition);
    this.#acknowledged.delete(partition);
  }

  /** What the group has of each partition since it was gained, acknowledged: nothing below it will be read again. */
  acknowledged(): ReadonlyMap<OwnedPartition, CommitPoint> {
    return this.#acknowledged;
  }

  /** Something has settled. */
  settled(partition: OwnedPartition): void {
    if (partition.ledger.settledCopies >= this.#options.everyRecords && this.#running === null) void this.#commitOnce();
  }

  /** Commits all that has settled until now, the present commit awaited. Never rejects. */
  async flush(): Promise<void> {
    await this.#running;
    await this.#commitOnce();
  }

  #commitOnce(): Promise<void> {
    this.#running ??= this.#commit().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #commit(): Promise<void> {
    const now = this.#ports.clock.now();
    const monotonic = this.#ports.clock.monotonic();
    const commits: PartitionCommit[] = [];
    const moved: [OwnedPartition, Last, CommitPoint][] = [];
    for (const [partition, last] of this.#last) {
      const { ledger } = partition;
      if (now - partition.heldSince > heldFenceMs) partition.heldFence = null;
      ledger.settledCopies = 0;
      const point = commitPointOf(partition, this.#options.delaysMs, monotonic, this.#options.without);
      const next = { offset: point.offset, metadata: point.metadata };
      const same = next.offset === last.offset && next.metadata === last.metadata;
      if (same && now - last.at < renewAfterMs) continue;
      commits.push({ topic: this.#options.topic, partition: partition.number, ...next });
      moved.push([partition, { ...next, at: now }, point]);
    }
    if (commits.length === 0 || !this.#ports.mayCommit()) return;
    try {
      await this.#ports.membership.commit(commits);
    } catch (error) {
      if (!(error instanceof CommitRefused)) throw error;
      // `not-owner`: the loss of the partition follows. `unavailable`: the next round tries again.
      this.#ports.log.warn({ code: error.code, err: error }, 'positions were not committed');
      return;
    }
    for (const [partition, last, point] of moved) {
      if (!this.#last.has(partition)) continue;
      this.#last.set(partition, last);
      this.#acknowledged.set(partition, point);
      for (const [index, position] of point.retries.entries()) partition.fences[index]?.forget(position);
    }
  }
}
