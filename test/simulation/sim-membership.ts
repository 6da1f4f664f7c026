import {
  CommitRefused,
  partitionName,
  type Committed,
  type GainedPartition,
  type GroupMembership,
  type OwnershipListener,
  type PartitionCommit,
  type TopicPartition,
} from '#libs/kafka';
import type { Broker } from './broker.js';
import type { Tenure } from './evidence.js';
import type { GroupCode, Joined, SimGroup, Synced } from './sim-group.js';
import type { Channel, SimProcess } from './sim-process.js';

export interface MembershipWorld {
  readonly broker: Broker;
  readonly group: SimGroup;
  readonly sessionTimeoutMs: number;
  /** Rules that are taken away. */
  readonly without: { readonly lease: boolean };
  tenureBegan(tenure: Tenure): void;
  /** Commits were taken by the group. `before` as they stood. */
  committed(process: SimProcess, commits: readonly PartitionCommit[], before: readonly (Committed | null)[]): void;
  count(injection: 'lostCommit' | 'lateCommit' | 'handOver'): void;
}

const drainMs = 1_000;
const requestTimeoutMs = 1_200;

/**
 * A member as `KafkaMembership` is one: drain, JoinGroup, SyncGroup, then heartbeats; the lease from the send time of the
 * last acknowledged one. Each request and answer takes its time, and the process may be asleep or dead when it comes.
 */
export class SimMembership implements GroupMembership {
  memberId = '';
  #generation = -1;
  #lease = Number.NEGATIVE_INFINITY;
  /** When the last lease ended. */
  #endedAt = 0;
  readonly #connection: Channel = { last: 0 };
  #assigned: readonly TopicPartition[] = [];
  #left = false;
  #isCutOff = false;
  #running = false;
  readonly #held = new Map<string, { readonly at: GainedPartition; readonly tenure: Tenure }>();
  readonly #first = Promise.withResolvers<void>();
  readonly #process: SimProcess;
  readonly #world: MembershipWorld;
  readonly #listener: OwnershipListener;

  constructor(process: SimProcess, world: MembershipWorld, listener: OwnershipListener) {
    this.#process = process;
    this.#world = world;
    this.#listener = listener;
  }

  async join(): Promise<void> {
    if (!this.#running) {
      this.#running = true;
      this.#run().catch((error: unknown) => this.#listener.onFatal(error as Error));
    }
    await this.#first.promise;
  }

  heldUntil(): number {
    return this.#world.without.lease ? Number.POSITIVE_INFINITY : this.#lease;
  }

  owned(): readonly TopicPartition[] {
    return [...this.#held.values()].map(({ at: { topic, partition } }) => ({ topic, partition }));
  }

  /** Until when the lease truly is, whatever the members are told. */
  get trueLease(): number {
    return this.#lease;
  }

  tenureOf(partition: number): Tenure | null {
    for (const { at, tenure } of this.#held.values()) if (at.partition === partition) return tenure;
    return null;
  }

  /** The run is over: what its lease no longer covers has ended, whether it has noticed or not. */
  settle(): void {
    if (this.#lease >= this.#now) return;
    this.#endLease();
    for (const { tenure } of this.#held.values()) tenure.until = Math.min(tenure.until, this.#endedAt);
  }

  /** Its heartbeats get lost until it is expelled. */
  cutOff(): void {
    this.#isCutOff = true;
  }

  /** The process has died: what it held ended with it. */
  died(): void {
    this.#endLease();
    for (const { tenure } of this.#held.values()) tenure.until = this.#endedAt;
  }

  async commit(commits: readonly PartitionCommit[]): Promise<void> {
    if (commits.length === 0) return;
    const stamp = { memberId: this.memberId, generation: this.#generation };
    const mine = commits.every((one) => this.#held.has(partitionName(one)));
    if (!mine || this.#now >= this.heldUntil()) {
      throw new CommitRefused('not-owner', 'a partition of the commit is not held, or the lease is over');
    }
    const code = await this.#request((answer) => {
      const { code: taken, before } = this.#world.group.commit(stamp.memberId, stamp.generation, commits);
      if (taken === 'ok') this.#world.committed(this.#process, commits, before);
      if (this.#process.trouble.lostCommits > 0) {
        this.#process.trouble.lostCommits -= 1;
        this.#world.count('lostCommit');
      } else answer(taken);
    });
    if (code === 'ok') return;
    if (code === null) throw new CommitRefused('unavailable', 'no answer to the commit');
    throw new CommitRefused('not-owner', 'the partitions are no longer ours under this generation');
  }

  async leave(): Promise<void> {
    if (this.#left) return;
    this.#left = true;
    this.died();
    this.#held.clear();
    const { memberId } = this;
    if (memberId !== '') {
      await this.#request<true>((answer) => {
        this.#world.group.leave(memberId);
        answer(true);
      });
    }
    this.#first.resolve();
  }

  get #now(): number {
    return this.#process.time.elapsed;
  }

  async #run(): Promise<void> {
    while (!this.#left) {
      if (await this.#takePart()) await this.#stay();
      else await this.#pause(this.#process.random.int(10, 100));
    }
  }

  /** @returns false when the group has moved on meanwhile, and it must be done again. */
  async #takePart(): Promise<boolean> {
    if (this.#held.size > 0 && this.#now < this.#lease) await this.#drain();
    if (this.#left) return false;
    this.#endLease();
    const asMember = this.memberId;
    const present = { generation: this.#generation, held: this.#assigned };
    const joined = await this.#request<Joined>((answer) => this.#world.group.join(asMember, present, answer), Infinity);
    if (joined === null || this.#left) return false;
    if (this.#moved(joined.code)) return false;
    this.memberId = joined.memberId;
    const sentAt = this.#now;
    const { generation } = joined;
    const synced = await this.#request<Synced>((answer) => answer(this.#world.group.sync(joined.memberId, generation)));
    if (synced === null || this.#left || this.#moved(synced.code)) return false;
    const unbroken = asMember === joined.memberId && generation === this.#generation + 1;
    this.#generation = generation;
    this.#assigned = synced.assigned;
    this.#lease = sentAt + this.#leaseMs;
    this.#apply(unbroken);
    return true;
  }

  async #drain(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const callOff = this.#process.schedule(drainMs, resolve);
    this.#listener.beforeJoin().then(resolve, () => resolve());
    await promise;
    callOff();
  }

  #moved(code: GroupCode): boolean {
    if (code === 'unknown-member') this.#expelled();
    return code !== 'ok';
  }

  #expelled(): void {
    this.#endLease();
    this.memberId = '';
    this.#lose([...this.#held.values()]);
  }

  #endLease(): void {
    if (this.#lease === Number.NEGATIVE_INFINITY) return;
    this.#endedAt = Math.min(this.#now, this.#lease);
    this.#lease = Number.NEGATIVE_INFINITY;
  }

  #apply(unbroken: boolean): void {
    const names = new Set(this.#assigned.map(partitionName));
    this.#lose([...this.#held.values()].filter(({ at }) => !unbroken || !names.has(partitionName(at))));
    const gained = this.#assigned.filter((one) => !this.#held.has(partitionName(one)));
    if (gained.length === 0) this.#first.resolve();
    else void this.#announce(gained, this.#generation);
  }

  #lose(lost: readonly { readonly at: GainedPartition; readonly tenure: Tenure }[]): void {
    for (const { at, tenure } of lost) {
      this.#held.delete(partitionName(at));
      tenure.until = this.#endedAt;
    }
    if (lost.length > 0) {
      this.#world.count('handOver');
      this.#listener.onLost(lost.map(({ at: { topic, partition } }) => ({ topic, partition })));
    }
  }

  async #announce(gained: readonly TopicPartition[], generation: number): Promise<void> {
    const { broker, group } = this.#world;
    const told = await this.#process.ask(broker, () =>
      gained.map((one) => ({ ...one, generation, committed: group.committed(one), bounds: broker.log.boundsOf(one) })),
    );
    if (this.#left || this.#generation !== generation || this.#lease === Number.NEGATIVE_INFINITY) return;
    for (const at of told) {
      const { name: process, role } = this.#process;
      const tenure: Tenure = {
        process,
        group: role,
        partition: at.partition,
        generation,
        from: this.#now,
        until: Infinity,
      };
      this.#held.set(partitionName(at), { at, tenure });
      this.#world.tenureBegan(tenure);
    }
    this.#listener.onGained(told);
    this.#first.resolve();
  }

  async #stay(): Promise<void> {
    const interval = this.#world.sessionTimeoutMs / 10;
    while (!this.#left) {
      await this.#pause(interval);
      if (this.#left) return;
      if (this.#isCutOff) {
        await this.#pause(requestTimeoutMs);
        this.#isCutOff = this.#now < this.#lease + interval;
        continue;
      }
      const sentAt = this.#now;
      const { memberId } = this;
      const code = await this.#request<GroupCode>((answer) =>
        answer(this.#world.group.heartbeat(memberId, this.#generation)),
      );
      if (this.#left) return;
      if (code === 'ok') this.#lease = Math.max(this.#lease, sentAt + this.#leaseMs);
      else if (code === 'rebalance') return;
      else if (code !== null) {
        this.#endLease();
        if (code === 'unknown-member') this.#expelled();
        return;
      }
    }
  }

  get #leaseMs(): number {
    return (this.#world.sessionTimeoutMs * 2) / 3;
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#process.schedule(ms, resolve));
  }

  /** A request to the coordinator. @returns null when there was no answer in time */
  #request<T>(handle: (answer: (value: T) => void) => void, patienceMs = requestTimeoutMs): Promise<T | null> {
    const { promise, resolve } = Promise.withResolvers<T | null>();
    if (!this.#process.enters()) return promise;
    const sentAt = this.#now;
    this.#process.transmit(() => {
      // Nobody listens: it is gone; a JoinGroup without end is sent again.
      if (!this.#world.broker.isAvailable) {
        if (patienceMs === Infinity) this.#process.answer(() => resolve(null), 200);
        return;
      }
      if (this.#now - sentAt > 1_000) this.#world.count('lateCommit');
      handle((value) => this.#process.answer(() => resolve(value)));
    }, this.#connection);
    if (patienceMs !== Infinity) this.#process.schedule(patienceMs, () => resolve(null));
    return promise;
  }
}
