import { partitionName, type Committed, type PartitionCommit, type TopicPartition } from '#libs/kafka';
import type { Random } from './random.js';
import type { VirtualTime } from './virtual-time.js';

/** Answers of the coordinator, as Kafka's error codes have it. */
export type GroupCode = 'ok' | 'rebalance' | 'illegal-generation' | 'unknown-member';

export interface Joined {
  readonly code: GroupCode;
  readonly memberId: string;
  readonly generation: number;
}

export interface Synced {
  readonly code: GroupCode;
  readonly assigned: readonly TopicPartition[];
}

interface Member {
  readonly id: string;
  held: readonly TopicPartition[];
  heldGeneration: number;
  /** Set while its JoinGroup waits for the others. */
  joined: ((answer: Joined) => void) | null;
  callOffExpiry: () => void;
  heardAt: number;
}

export interface GroupOptions {
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  /** Commits of former owners and generations are taken: the rule against them is taken away. */
  readonly takesLateCommits: boolean;
  note(line: string): void;
}

/** The coordinator of one group: JoinGroup, SyncGroup, Heartbeat, LeaveGroup, OffsetCommit, as the broker plays them. */
export class SimGroup {
  #generation: number;
  #members = new Map<string, Member>();
  #joining = false;
  #assignment = new Map<string, TopicPartition[]>();
  #callOffJoin: () => void = () => undefined;
  #nextMember = 1;
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #partitions: readonly TopicPartition[];
  readonly #commits: Map<string, Committed>;
  readonly #options: GroupOptions;

  /** @param firstGeneration a group that lived for a while does not begin at 0 */
  constructor(
    time: VirtualTime,
    random: Random,
    partitions: readonly TopicPartition[],
    commits: Map<string, Committed>,
    options: GroupOptions,
    firstGeneration: number,
  ) {
    this.#time = time;
    this.#random = random;
    this.#partitions = partitions;
    this.#commits = commits;
    this.#options = options;
    this.#generation = firstGeneration;
  }

  get memberCount(): number {
    return this.#members.size;
  }

  committed(at: TopicPartition): Committed | null {
    return this.#commits.get(partitionName(at)) ?? null;
  }

  /** Answers when all members have joined, or those that did not in time are out. `memberId` empty: a new one. */
  join(
    memberId: string,
    present: { generation: number; held: readonly TopicPartition[] },
    answer: (joined: Joined) => void,
  ): void {
    if (memberId !== '' && !this.#members.has(memberId)) {
      answer({ code: 'unknown-member', memberId, generation: -1 });
      return;
    }
    const id = memberId === '' ? `m${String(this.#nextMember++)}` : memberId;
    const member = this.#members.get(id) ?? {
      id,
      held: [],
      heldGeneration: -1,
      joined: null,
      callOffExpiry: () => undefined,
      heardAt: 0,
    };
    member.held = present.held;
    member.heldGeneration = present.generation;
    member.joined = answer;
    this.#members.set(id, member);
    this.#heard(member);
    if (!this.#joining) this.#begin();
    this.#completeIfAll();
  }

  sync(memberId: string, generation: number): Synced {
    const member = this.#members.get(memberId);
    if (member !== undefined) this.#heard(member);
    const code = this.#check(memberId, generation);
    return { code, assigned: code === 'ok' ? (this.#assignment.get(memberId) ?? []) : [] };
  }

  heartbeat(memberId: string, generation: number): GroupCode {
    const member = this.#members.get(memberId);
    if (member === undefined) return 'unknown-member';
    this.#heard(member);
    return this.#check(memberId, generation);
  }

  leave(memberId: string): void {
    if (this.#remove(memberId)) this.#begin();
  }

  /** @returns whether it was taken; the commits before it, if so */
  commit(
    memberId: string,
    generation: number,
    commits: readonly PartitionCommit[],
  ): { code: GroupCode; before: (Committed | null)[] } {
    const known = this.#members.get(memberId) !== undefined;
    const stale = generation !== this.#generation;
    // As the broker: while a rebalance is prepared, commits of the old generation are still taken.
    const code: GroupCode = !known ? 'unknown-member' : stale ? 'illegal-generation' : 'ok';
    if (code !== 'ok' && !this.#options.takesLateCommits) return { code, before: [] };
    const before = commits.map((one) => this.committed(one));
    for (const one of commits)
      this.#commits.set(partitionName(one), { offset: one.offset, metadata: one.metadata ?? '' });
    return { code: 'ok', before };
  }

  /** The coordinator loses patience with a member that it has not heard of for so long. */
  expel(memberId: string, silentMs: number): void {
    const member = this.#members.get(memberId);
    if (member === undefined || this.#time.elapsed < member.heardAt + silentMs) return;
    if (this.#remove(memberId)) this.#begin();
  }

  /** The group is forgotten: its members and its generations; its commits are someone else's to carry over. */
  forget(): void {
    for (const id of this.#members.keys()) this.#remove(id);
    this.#joining = false;
    this.#callOffJoin();
    this.#generation = 0;
    this.#assignment.clear();
  }

  #check(memberId: string, generation: number): GroupCode {
    if (!this.#members.has(memberId)) return 'unknown-member';
    if (generation !== this.#generation) return 'illegal-generation';
    return this.#joining ? 'rebalance' : 'ok';
  }

  #heard(member: Member): void {
    member.callOffExpiry();
    member.heardAt = this.#time.elapsed;
    member.callOffExpiry = this.#time.schedule(this.#options.sessionTimeoutMs, () => {
      // One whose JoinGroup waits is heard of as long as its connection stands.
      if (member.joined !== null) this.#heard(member);
      else this.expel(member.id, 0);
    });
  }

  #remove(memberId: string): boolean {
    const member = this.#members.get(memberId);
    if (member === undefined) return false;
    member.callOffExpiry();
    this.#options.note(`${memberId} is out of the group`);
    this.#members.delete(memberId);
    member.joined?.({ code: 'unknown-member', memberId, generation: -1 });
    return true;
  }

  #begin(): void {
    if (this.#joining) return this.#completeIfAll();
    if (this.#members.size === 0) return;
    this.#joining = true;
    this.#callOffJoin = this.#time.schedule(this.#options.rebalanceTimeoutMs, () => {
      for (const member of this.#members.values()) if (member.joined === null) this.#remove(member.id);
      if (this.#members.size === 0) this.#joining = false;
      else this.#complete();
    });
    this.#completeIfAll();
  }

  #completeIfAll(): void {
    if (!this.#joining) return;
    if (this.#members.size === 0) {
      this.#joining = false;
      this.#callOffJoin();
      return;
    }
    if ([...this.#members.values()].every(({ joined }) => joined !== null)) this.#complete();
  }

  #complete(): void {
    this.#callOffJoin();
    this.#joining = false;
    this.#generation += 1;
    const generation = this.#generation;
    this.#assign();
    const shares = [...this.#assignment].map(([id, all]) => `${id}: ${all.map(({ partition }) => partition).join()}`);
    this.#options.note(`generation ${generation} of ${shares.join(', ')}`);
    for (const member of this.#members.values()) {
      const answer = member.joined;
      member.joined = null;
      this.#heard(member);
      answer?.({ code: 'ok', memberId: member.id, generation });
    }
  }

  /** Even, and sticky as a rule; now and then anything goes. Where two claim the same, the later generation is right. */
  #assign(): void {
    const members = [...this.#members.values()].toSorted((a, b) => b.heldGeneration - a.heldGeneration);
    this.#assignment = new Map(members.map(({ id }) => [id, []]));
    const most = Math.ceil(this.#partitions.length / members.length);
    const sticky = this.#random.chance(0.85);
    for (const at of this.#partitions) {
      const holder = members.find(({ held }) => held.some((one) => one.partition === at.partition));
      const open = members.filter(({ id }) => (this.#assignment.get(id)?.length ?? 0) < most);
      const keeps = sticky && holder !== undefined && open.includes(holder);
      const owner = keeps ? holder : this.#random.pick(open);
      if (owner !== undefined) this.#assignment.get(owner.id)?.push(at);
    }
  }
}
