import { Lease } from '#libs/core';
import { LinkFailure, messageOf } from './broker-link.js';
import { backoffMs, BrokerRefusal, pause, type Cluster } from './cluster.js';
import { GroupCoordinator, planFor } from './group-coordinator.js';
import { isTransient, patiently, readBounds } from './log-bounds.js';
import {
  CommitRefused,
  partitionName,
  type GainedPartition,
  type GroupMembership,
  type OwnershipListener,
  type PartitionCommit,
  type TopicPartition,
} from './ports.js';

const drainMs = 1_000;
const rebalanceTimeoutMs = 10_000;
const maxMetadataBytes = 4_096;
const illegalGeneration = 22;
const unknownMember = 25;
const rebalanceInProgress = 27;
const memberIdRequired = 79;

export interface MembershipOptions {
  readonly groupId: string;
  readonly topics: readonly string[];
  readonly listener: OwnershipListener;
}

/**
 * A member of a consumer group, for ownership alone (DESIGN §3 "Ownership"). It speaks the group protocol itself, through
 * kafkajs's requests: kafkajs's consumer would fetch, has no drain, no heartbeats in the background, and commits under
 * whatever generation it has by then.
 *
 * The lease ends when a JoinGroup is sent, begins with the successful SyncGroup, and is carried on by each acknowledged
 * heartbeat, from the time when it was sent.
 */
export class KafkaMembership implements GroupMembership {
  private readonly coordinator: GroupCoordinator;
  private readonly listener: OwnershipListener;
  private readonly sessionTimeoutMs: number;
  private readonly leaving = new AbortController();
  private memberId = '';
  /** Of the last successful SyncGroup. */
  private generation = -1;
  private readonly lease: Lease;
  private assigned: readonly TopicPartition[] = [];
  /** Assigned, and told to the listener. */
  private readonly held = new Map<string, GainedPartition>();
  private running: Promise<void> | null = null;
  private readonly first = Promise.withResolvers<void>();

  constructor(
    private readonly cluster: Cluster,
    private readonly options: MembershipOptions,
  ) {
    this.listener = options.listener;
    this.sessionTimeoutMs = cluster.kafka.sessionTimeoutMs ?? 10_000;
    this.lease = new Lease(this.sessionTimeoutMs);
    this.coordinator = new GroupCoordinator(cluster, options.groupId, this.sessionTimeoutMs, rebalanceTimeoutMs);
  }

  async join(): Promise<void> {
    this.running ??= this.run();
    await this.first.promise;
  }

  heldUntil(): number {
    return this.lease.heldUntil();
  }

  owned(): readonly TopicPartition[] {
    return [...this.held.values()].map(({ topic, partition }) => ({ topic, partition }));
  }

  async commit(commits: readonly PartitionCommit[]): Promise<void> {
    if (commits.length === 0) return;
    for (const { metadata } of commits) {
      const bytes = Buffer.byteLength(metadata ?? '');
      if (bytes > maxMetadataBytes)
        throw new RangeError(`commit metadata of ${bytes} bytes; brokers take ${maxMetadataBytes}`);
    }
    const stamp = { memberId: this.memberId, generation: this.generation };
    const gained = commits.map((one) => this.held.get(partitionName(one)));
    const mayGo = () =>
      this.generation === stamp.generation &&
      this.memberId === stamp.memberId &&
      this.lease.isHeld(performance.now()) &&
      // Held without a break since then: lost and gained again is another entry.
      commits.every((one, at) => gained[at] !== undefined && this.held.get(partitionName(one)) === gained[at]);
    if (!mayGo()) throw new CommitRefused('not-owner', 'a partition of the commit is not held, or the lease is over');
    let code: number | null;
    try {
      code = await this.coordinator.commit(stamp, commits, mayGo);
    } catch (cause) {
      this.coordinator.forget();
      throw new CommitRefused('unavailable', `no answer to the commit: ${messageOf(cause)}`, { cause });
    }
    if (code === 0) return;
    if (code === null || [illegalGeneration, unknownMember, rebalanceInProgress].includes(code)) {
      throw new CommitRefused('not-owner', 'the partitions are no longer ours under this generation');
    }
    this.coordinator.forget();
    throw new CommitRefused('unavailable', new BrokerRefusal(code, 'the commit was not taken').message);
  }

  async leave(): Promise<void> {
    if (this.leaving.signal.aborted) return;
    this.lease.ended();
    this.leaving.abort();
    this.held.clear();
    try {
      const over = new AbortController();
      const left = this.memberId === '' ? Promise.resolve() : this.coordinator.leave(this.memberId);
      await Promise.race([left.finally(() => over.abort()), pause(2_000, over.signal)]);
    } catch (error) {
      // The session runs out instead.
      this.cluster.log('warn', 'the group was not told of our leaving', { reason: messageOf(error) });
    }
    this.cluster.close();
    this.first.resolve();
    await this.running;
  }

  private get left(): boolean {
    return this.leaving.signal.aborted;
  }

  private async run(): Promise<void> {
    for (let attempt = 0; !this.left;) {
      try {
        if (await this.takePart()) {
          attempt = 0;
          await this.stay();
        } else {
          await pause(Math.min(100, backoffMs(attempt++)), this.leaving.signal);
        }
      } catch (error) {
        if (this.left) return;
        if (!(error instanceof LinkFailure || (error instanceof BrokerRefusal && isTransient(error.code)))) {
          return this.die(error);
        }
        this.coordinator.forget();
        this.cluster.log(attempt > 3 ? 'warn' : 'debug', 'joining is tried again', {
          attempt,
          reason: messageOf(error),
        });
        await pause(backoffMs(attempt++), this.leaving.signal);
      }
    }
  }

  private die(cause: unknown): void {
    this.lease.ended();
    const error = new Error(`the membership in ${this.options.groupId} cannot go on: ${messageOf(cause)}`, { cause });
    this.cluster.log('error', error.message);
    this.first.reject(error);
    this.first.promise.catch(() => undefined);
    this.listener.onFatal(error);
  }

  /** Drain, JoinGroup, SyncGroup. @returns false when the group has moved on meanwhile and it must be done again. */
  private async takePart(): Promise<boolean> {
    // Found before the drain: a drain that waits for commits while the coordinator moves would only cost its second.
    await this.coordinator.find();
    if (this.held.size > 0 && this.lease.isHeld(performance.now())) await this.drain();
    if (this.left) return false;
    this.lease.ended();
    const present = { generation: this.generation, held: this.assigned };
    let joined = await this.coordinator.join(this.memberId, this.options.topics, present);
    if (joined.errorCode === memberIdRequired) {
      this.memberId = joined.memberId;
      joined = await this.coordinator.join(joined.memberId, this.options.topics, present);
    }
    if (this.moved(joined.errorCode, 'join')) return false;
    const asMember = this.memberId;
    this.memberId = joined.memberId;
    const stamp = { memberId: joined.memberId, generation: joined.generationId };
    const plan =
      joined.leaderId === joined.memberId
        ? await planFor(this.cluster, this.options.topics, joined)
        : new Map<string, TopicPartition[]>();
    const sentAt = performance.now();
    const { errorCode, assigned } = await this.coordinator.sync(stamp, plan);
    if (this.moved(errorCode, 'sync') || this.left) return false;
    // Kept is what was ours in the generation just before: in a skipped one, another may have worked on it.
    const unbroken = asMember === joined.memberId && stamp.generation === this.generation + 1;
    this.generation = stamp.generation;
    this.assigned = assigned;
    this.extend(sentAt);
    this.apply(unbroken);
    return true;
  }

  private async drain(): Promise<void> {
    const over = new AbortController();
    const drained = this.listener.beforeJoin().catch((error: unknown) => {
      this.cluster.log('warn', 'the drain before a join failed', { reason: messageOf(error) });
    });
    await Promise.race([drained, pause(drainMs, AbortSignal.any([over.signal, this.leaving.signal]))]);
    over.abort();
  }

  /** Errors that mean "join again". Others are thrown. */
  private moved(code: number, at: string): boolean {
    if (code === 0) return false;
    if (code === unknownMember) this.expelled();
    if (
      code === unknownMember ||
      code === rebalanceInProgress ||
      code === illegalGeneration ||
      code === memberIdRequired
    )
      return true;
    throw new BrokerRefusal(code, `${this.options.groupId} ${at}`);
  }

  /** The session ran out, or the group has forgotten us: others own what was ours. */
  private expelled(): void {
    this.lease.ended();
    this.memberId = '';
    const lost = this.owned();
    this.held.clear();
    if (lost.length > 0) this.listener.onLost(lost);
  }

  private apply(unbroken: boolean): void {
    const names = new Set(this.assigned.map(partitionName));
    const lost = [...this.held.values()].filter((one) => !unbroken || !names.has(partitionName(one)));
    for (const one of lost) this.held.delete(partitionName(one));
    if (lost.length > 0) this.listener.onLost(lost.map(({ topic, partition }) => ({ topic, partition })));
    const gained = this.assigned.filter((one) => !this.held.has(partitionName(one)));
    this.cluster.log('info', 'joined', {
      group: this.options.groupId,
      generation: this.generation,
      assigned: names.size,
      gained: gained.length,
    });
    const { generation } = this;
    if (gained.length === 0) this.first.resolve();
    else
      void this.announce(gained, generation).catch(
        (error: unknown) => this.left || generation !== this.generation || this.die(error),
      );
  }

  /** Reads commits and bounds after the join, while heartbeats go on, and tells the listener. */
  private async announce(gained: readonly TopicPartition[], generation: number): Promise<void> {
    const stale = () =>
      this.left || this.generation !== generation || this.lease.heldUntil() === Number.NEGATIVE_INFINITY;
    const read = async () => {
      if (stale()) return null;
      return Promise.all([this.coordinator.committed(gained), readBounds(this.cluster, gained)]);
    };
    const found = await patiently(
      this.cluster,
      'commits and bounds',
      read,
      Number.POSITIVE_INFINITY,
      this.leaving.signal,
    );
    if (found === null || stale()) return;
    const [commits, bounds] = found;
    const told = gained.map((one, at) => ({
      ...one,
      generation,
      committed: commits.get(partitionName(one)) ?? null,
      bounds: bounds[at] ?? { start: 0, end: 0 },
    }));
    for (const one of told) this.held.set(partitionName(one), one);
    this.listener.onGained(told);
    this.first.resolve();
  }

  /** Heartbeats until the group wants another join. */
  private async stay(): Promise<void> {
    // Also how soon a rebalance is heard of.
    const interval = this.sessionTimeoutMs / 10;
    for (let failures = 0; !this.left;) {
      await pause(failures === 0 ? interval : Math.min(interval, backoffMs(failures - 1)), this.leaving.signal);
      if (this.left) return;
      const sentAt = performance.now();
      let code: number;
      try {
        code = await this.coordinator.heartbeat({ memberId: this.memberId, generation: this.generation });
      } catch (error) {
        if (!(error instanceof LinkFailure || error instanceof BrokerRefusal)) throw error;
        code = -1;
        this.cluster.log('debug', 'no answer to a heartbeat', { reason: messageOf(error) });
      }
      if (this.left) return;
      if (code === 0) {
        failures = 0;
        this.extend(sentAt);
      } else if (code === rebalanceInProgress) {
        return;
      } else if (code === illegalGeneration || code === unknownMember) {
        this.lease.ended();
        if (code === unknownMember) this.expelled();
        return;
      } else if (isTransient(code)) {
        // The coordinator moves or is away: the generation lives on, if it comes back within the session.
        failures += 1;
        this.coordinator.forget();
      } else {
        throw new BrokerRefusal(code, 'heartbeat');
      }
    }
  }

  private extend(sentAt: number): void {
    this.lease.confirmed(sentAt);
  }
}
