import type { InMemoryStore } from './in-memory-store.js';
import {
  CommitRefused,
  partitionName,
  type Committed,
  type GainedPartition,
  type GroupMembership,
  type OwnershipListener,
  type PartitionCommit,
  type TopicPartition,
} from './ports.js';
import { assignSticky } from './sticky-assignment.js';

/** The coordinator's side: who is in, which generation, what is committed. */
export class InMemoryGroup {
  readonly members = new Set<InMemoryMembership>();
  readonly commits = new Map<string, Committed>();
  generation = 0;
  private nextMember = 1;
  private pending: Promise<void> | null = null;

  constructor(private readonly log: InMemoryStore) {}

  /** By somebody who is no member. */
  set(groupId: string, commits: readonly PartitionCommit[]): void {
    if (commits.length > 0 && this.members.size > 0)
      throw new CommitRefused('not-owner', `the group ${groupId} has members, and they alone set its positions`);
    for (const one of commits)
      this.commits.set(partitionName(one), { offset: one.offset, metadata: one.metadata ?? '' });
  }

  newMemberId(): string {
    return `member-${this.nextMember++}`;
  }

  /** All members drain, join and are assigned anew. Calls at the same time share one, or the one after it. */
  async rebalance(): Promise<void> {
    const before = this.pending;
    const mine = (before ?? Promise.resolve()).then(() => this.run());
    this.pending = mine;
    await mine;
    if (this.pending === mine) this.pending = null;
  }

  private async run(): Promise<void> {
    await new Promise<void>((resolve) => this.log.defer(resolve));
    await Promise.all([...this.members].map((member) => member.drain()));
    const members = [...this.members].filter((member) => !member.frozen);
    if (members.length === 0) return;
    this.generation += 1;
    for (const member of members) member.beginJoin();
    const topics = [...new Set(members.flatMap((member) => member.topics))];
    const assignment = assignSticky(
      members.map((member) => ({ id: member.id, generation: member.generation, held: member.owned() })),
      this.log.partitionsOf(topics),
    );
    const gains = members.map((member) => member.take(this.generation, assignment.get(member.id) ?? []));
    for (const tell of gains) tell();
  }
}

/**
 * A member of an `InMemoryGroup`. Its heartbeats are taken for granted until `freeze`; `expire` lets its session run out
 * as the coordinator sees it, `thaw` wakes it up: it learns what happened and joins again.
 */
export class InMemoryMembership implements GroupMembership {
  id: string;
  generation = -1;
  frozen = false;
  private joined = false;
  private frozenAt = 0;
  private joining = true;
  private readonly held = new Map<string, GainedPartition>();

  constructor(
    private readonly log: InMemoryStore,
    private readonly group: InMemoryGroup,
    readonly topics: readonly string[],
    private readonly listener: OwnershipListener,
  ) {
    this.id = group.newMemberId();
  }

  async join(): Promise<void> {
    if (this.joined) return;
    this.joined = true;
    this.group.members.add(this);
    await this.group.rebalance();
  }

  heldUntil(): number {
    if (!this.joined || this.joining) return Number.NEGATIVE_INFINITY;
    return (this.frozen ? this.frozenAt : this.log.monotonic()) + (this.log.sessionTimeoutMs * 2) / 3;
  }

  owned(): readonly TopicPartition[] {
    return [...this.held.values()].map(({ topic, partition }) => ({ topic, partition }));
  }

  async commit(commits: readonly PartitionCommit[]): Promise<void> {
    await Promise.resolve();
    const mine = commits.every((one) => this.held.has(partitionName(one)));
    if (!mine || this.log.monotonic() >= this.heldUntil()) {
      throw new CommitRefused('not-owner', 'a partition of the commit is not held, or the lease is over');
    }
    if (!this.log.available) throw new CommitRefused('unavailable', 'no answer to the commit');
    if (this.generation !== this.group.generation || !this.group.members.has(this)) {
      throw new CommitRefused('not-owner', 'the partitions are no longer ours under this generation');
    }
    for (const one of commits)
      this.group.commits.set(partitionName(one), { offset: one.offset, metadata: one.metadata ?? '' });
  }

  async leave(): Promise<void> {
    if (!this.joined) return;
    this.joined = false;
    this.held.clear();
    if (this.group.members.delete(this)) await this.group.rebalance();
  }

  /** Stops heartbeats and everything else of this member, as SIGSTOP does. */
  freeze(): void {
    this.frozen = true;
    this.frozenAt = this.log.monotonic();
  }

  /** The coordinator has not heard of it for the session timeout. */
  async expire(): Promise<void> {
    if (this.group.members.delete(this)) await this.group.rebalance();
  }

  async thaw(): Promise<void> {
    this.frozen = false;
    if (!this.joined || this.group.members.has(this)) return;
    this.joining = true;
    this.id = this.group.newMemberId();
    this.generation = -1;
    this.lose([...this.held.values()]);
    this.group.members.add(this);
    await this.group.rebalance();
  }

  /** At most one second, if there is a clock to tell. */
  async drain(): Promise<void> {
    if (this.frozen || this.held.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const callOff = this.log.after(1_000, resolve);
    this.listener.beforeJoin().then(resolve, () => resolve());
    await promise;
    callOff();
  }

  beginJoin(): void {
    this.joining = true;
  }

  /** Applies an assignment. @returns what tells the listener of gains, once all have been told of losses. */
  take(generation: number, assigned: readonly TopicPartition[]): () => void {
    const unbroken = generation === this.generation + 1;
    const names = new Set(assigned.map(partitionName));
    this.generation = generation;
    this.joining = false;
    this.lose([...this.held.values()].filter((one) => !unbroken || !names.has(partitionName(one))));
    const gained = assigned
      .filter((one) => !this.held.has(partitionName(one)))
      .map((one) => ({
        ...one,
        generation,
        committed: this.group.commits.get(partitionName(one)) ?? null,
        bounds: this.log.boundsOf(one),
      }));
    for (const one of gained) this.held.set(partitionName(one), one);
    return () => {
      if (gained.length > 0 && this.joined) this.listener.onGained(gained);
    };
  }

  private lose(lost: readonly GainedPartition[]): void {
    for (const one of lost) this.held.delete(partitionName(one));
    if (lost.length > 0) this.listener.onLost(lost.map(({ topic, partition }) => ({ topic, partition })));
  }
}
