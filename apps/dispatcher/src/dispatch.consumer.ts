import {
  partitionName,
  type GainedPartition,
  type GroupMembership,
  type OwnershipListener,
  type TopicPartition,
} from '#libs/kafka';
import type { CommitLoop } from './commit-loop.js';
import type { LeaseGate } from './lease-gate.js';
import { SourcePartition, type DispatchCounts, type SourcePorts } from './source-partition.js';
import type { Surroundings } from './surroundings.js';
import { takeOver, type TakeOverPorts } from './take-over.js';
import type { CursorKeeper } from './cursors/cursor-keeper.js';
import { keepCursors, type CursorCounts, type CursorPorts } from './cursors/keep-cursors.js';
import { PartitionCursors } from './cursors/partition-cursors.js';
import { takeCursors } from './cursors/take-cursors.js';
import { keepReplays, type ReplayPorts } from './replays/keep-replays.js';
import type { ReplayKeeper } from './replays/replay-keeper.js';

export interface ConsumerCounts extends DispatchCounts, CursorCounts {
  partitionStopped(topic: string, partition: number): void;
  partitionLost(topic: string, partition: number): void;
}

export interface ConsumerPorts {
  readonly membership: GroupMembership;
  readonly gate: LeaseGate;
  readonly commits: CommitLoop;
  /** Has been read to the end before the first event. */
  readonly directory: { readonly read: Promise<void>; readonly isRead: boolean };
  readonly takeOver: TakeOverPorts;
  readonly source: SourcePorts;
  readonly cursors: CursorPorts;
  readonly replays: ReplayPorts;
  readonly counts: ConsumerCounts;
  readonly around: Surroundings;
}

interface Held {
  readonly at: TopicPartition;
  held: boolean;
  partition: SourcePartition | null;
  cursors: CursorKeeper | null;
  replays: ReplayKeeper | null;
  alarm: string | null;
}

/** How long the appends on their way may take when the process ends. */
const drainMs = 5_000;
/** How long the group is waited for to say that a partition is another's. */
const supersededMs = 10_000;

/** The edge of the dispatcher: which source partitions are ours, and what becomes of them as that changes. */
export class DispatchConsumer implements OwnershipListener {
  readonly #ports: () => ConsumerPorts;
  readonly #held = new Map<string, Held>();
  #joined = false;
  #stopping = false;

  /** @param ports asked for when they are needed: the membership among them has this as its listener */
  constructor(ports: () => ConsumerPorts) {
    this.#ports = ports;
  }

  /** Reads the endpoints, then takes part in the group. */
  async start(): Promise<void> {
    const { directory, membership } = this.#ports();
    await directory.read;
    if (this.#stopping) return;
    await membership.join();
    this.#joined = true;
  }

  /** Takes nothing new, finishes and commits what is on its way (for at most 5 s), leaves the group. */
  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    const { gate, commits, membership, around } = this.#ports();
    gate.closeForGood();
    await within(drainMs, this.#settled(), around);
    for (const entry of this.#held.values()) this.#drop(entry);
    this.#held.clear();
    commits.close();
    await membership.leave();
  }

  /** Throws with the reason while this process cannot do all of its part. */
  check(): void {
    if (!this.#ports().directory.isRead) throw new Error('the endpoints are not read to the end yet');
    if (!this.#joined) throw new Error('no partitions have been assigned yet');
    const reasons = [...this.#held.values()].flatMap(({ at, partition, alarm }) => {
      const reason = alarm ?? (partition === null ? 'is being taken over' : partition.trouble);
      return reason === null ? [] : [`${partitionName(at)}: ${reason}`];
    });
    if (reasons.length > 0) throw new Error(reasons.join('; '));
  }

  onGained(partitions: readonly GainedPartition[]): void {
    for (const gained of partitions) {
      const name = partitionName(gained);
      const before = this.#held.get(name);
      if (before !== undefined) this.#drop(before);
      const entry: Held = { at: gained, held: true, partition: null, cursors: null, replays: null, alarm: null };
      this.#held.set(name, entry);
      // A bug stops the partition, not the others.
      this.#begin(gained, entry).catch((error: unknown) => this.#alarm(entry, String(error)));
    }
  }

  onLost(partitions: readonly TopicPartition[]): void {
    for (const at of partitions) {
      const entry = this.#held.get(partitionName(at));
      if (entry !== undefined) this.#drop(entry);
      this.#held.delete(partitionName(at));
      this.#ports().counts.partitionLost(at.topic, at.partition);
    }
  }

  async beforeJoin(): Promise<void> {
    this.#ports().gate.closeForJoin();
    await this.#settled();
  }

  onFatal(error: Error): void {
    this.#ports().around.die(error);
  }

  async #begin(gained: GainedPartition, entry: Held): Promise<void> {
    const ports = this.#ports();
    const { topic, partition, generation } = gained;
    const wanted = (): boolean => entry.held;
    const found = await takeCursors(partition, { gate: ports.gate, ...ports.cursors }, wanted);
    if (found === null) return;
    const taken = await takeOver(gained, ports.takeOver, wanted);
    if (taken === null || !entry.held) return;
    if (taken.kind === 'alarm') return this.#alarm(entry, `${taken.reason}: ${taken.detail}`);
    const cursors = new PartitionCursors(found.stored, found.knownBackfills);
    const pipeline = new SourcePartition(gained, { ...taken, cursors }, ports.source, (detail) =>
      this.#alarm(entry, detail),
    );
    const { offset, incarnation } = taken;
    const superseded = (): void => this.#superseded(entry);
    const kept = { at: gained, incarnation, epoch: found.epoch, cursors, pipeline, superseded };
    entry.cursors = keepCursors(kept, ports.cursors);
    entry.replays = keepReplays(kept, ports.cursors, ports.replays);
    entry.partition = pipeline;
    // Before the first event: whom nothing may be sent to yet is known then.
    entry.cursors.start();
    pipeline.start();
    entry.replays.start();
    ports.around.log.info({ topic, partition, generation, offset, incarnation }, 'a source partition is taken over');
  }

  async #settled(): Promise<void> {
    const entries = [...this.#held.values()];
    await Promise.all(entries.flatMap(({ partition, cursors }) => [partition?.drained(), cursors?.drained()]));
    await this.#ports().commits.flush();
  }

  #drop(entry: Held): void {
    entry.held = false;
    halt(entry);
  }

  /** Another dispatcher has taken it over. The group will tell us so; if it does not, one of us is wrong: begin anew. */
  #superseded(entry: Held): void {
    if (!entry.held || entry.alarm !== null) return;
    halt(entry);
    entry.alarm = 'another dispatcher has taken it over';
    const { around } = this.#ports();
    around.log.warn({ ...entry.at }, entry.alarm);
    around.schedule(supersededMs, () => {
      if (entry.held)
        around.die(new Error(`${partitionName(entry.at)}: ${entry.alarm}, and the group does not say so`));
    });
  }

  /** The partition stops until someone decides; the others go on. Nothing is ever reset by itself. */
  #alarm(entry: Held, detail: string): void {
    if (!entry.held) return;
    entry.alarm = detail;
    const { topic, partition } = entry.at;
    const { counts, around } = this.#ports();
    counts.partitionStopped(topic, partition);
    around.log.error(
      { topic, partition, detail },
      `${topic}-${partition} has stopped, nothing of it was skipped. Find out what became of the log, then decide where ` +
        `to go on: \`posthorn incarnation open --partition ${partition} --at <offset>\`, and restart the dispatchers`,
    );
  }
}

function halt({ partition, cursors, replays }: Held): void {
  partition?.stop();
  cursors?.stop();
  replays?.stop();
}

async function within(ms: number, work: Promise<void>, around: Surroundings): Promise<void> {
  const late = Promise.withResolvers<void>();
  const callOff = around.schedule(ms, late.resolve);
  await Promise.race([work, late.promise]);
  callOff();
}
