import { liveStream, paceMs, partitionFor } from '#libs/core';
import type { EndOfSpace } from '#libs/contracts';
import type { Appending } from '../appending.js';
import type { DirectoryListener } from '../endpoint-directory.js';
import { messageOf, pause, type Surroundings } from '../surroundings.js';
import type { DispatchEndpoint } from '../dispatch-endpoint.js';
import type { CatchUp } from './catch-up.js';
import type { CursorStore } from './cursor-store.js';
import type { CursorWriter } from './cursor-writer.js';
import type { Freezing } from './freezing.js';
import type { FreezeWishes } from './freeze-wishes.js';
import type { PartitionCursors } from './partition-cursors.js';

export interface KeeperPorts {
  readonly cursors: PartitionCursors;
  readonly writer: CursorWriter;
  readonly store: CursorStore;
  readonly freezing: Freezing;
  readonly catchUp: CatchUp;
  readonly wishes: FreezeWishes;
  readonly directory: {
    get(endpointId: string): DispatchEndpoint | undefined;
    all(): Iterable<DispatchEndpoint>;
    listen(listener: DirectoryListener): () => void;
  };
  readonly appending: Appending;
  readonly endOfSpace: { encode(end: EndOfSpace): Buffer };
  readonly deliveries: { readonly topic: string; readonly partitions: number };
  readonly partition: number;
  readonly around: Surroundings;
}

/** How often is looked again, while something waits for room, a circuit, a commit. */
const lookAgainMs = paceMs;
/** … and while the database or the registry does not answer. */
const troubledMs = 1_000;
const mostEnds = 500;

/**
 * What becomes of the cursors of one source partition, beside its pipeline: looks up, freezes, catches up, ends runs in
 * the log, one after the other. Only what it does between two batches holds live dispatch up.
 */
export class CursorKeeper {
  readonly #ports: KeeperPorts;
  readonly #unlisten: (() => void)[] = [];
  #doubtAgainAt = 0;
  #stopped = false;
  #wake: () => void = () => undefined;
  #trouble: string | null = null;

  constructor(ports: KeeperPorts) {
    this.#ports = ports;
  }

  /** Why it does not get on; null when it does. */
  get trouble(): string | null {
    return this.#trouble;
  }

  start(): void {
    const { cursors, directory, wishes, freezing } = this.#ports;
    for (const endpoint of directory.all()) cursors.met(endpoint.endpointId, endpoint);
    this.#unlisten.push(
      directory.listen({
        endpointChanged: (endpointId) => this.#endpointChanged(endpointId),
        replayChanged: () => undefined,
      }),
      wishes.listen({
        wishChanged: (endpointId, reason) => {
          freezing.wishChanged(endpointId, reason);
          this.#wake();
        },
      }),
    );
    void this.#run();
  }

  stop(): void {
    this.#stopped = true;
    for (const unlisten of this.#unlisten.splice(0)) unlisten();
    void this.#ports.catchUp.rest();
    this.#wake();
  }

  /** Resolves when nothing of it is on its way to the log. */
  drained(): Promise<void> {
    return this.#ports.appending.drained();
  }

  #endpointChanged(endpointId: string): void {
    const { cursors, directory } = this.#ports;
    cursors.met(endpointId, directory.get(endpointId));
    this.#wake();
  }

  async #run(): Promise<void> {
    const { around } = this.#ports;
    while (!this.#stopped) {
      let waitMs = lookAgainMs;
      try {
        await this.#round();
        this.#trouble = null;
      } catch (error) {
        if (this.#stopped) return;
        waitMs = troubledMs;
        this.#trouble = `cursors do not move: ${messageOf(error)}`;
        around.log.warn(
          { partition: this.#ports.partition, reason: messageOf(error) },
          'cursors do not move; tried again',
        );
      }
      if (this.#ports.cursors.awake.size === 0) await this.#ports.catchUp.rest();
      if (this.#isAtRest()) await new Promise<void>((resolve) => (this.#wake = resolve));
      else await pause(around, waitMs);
    }
  }

  #isAtRest(): boolean {
    const { cursors, freezing } = this.#ports;
    const isResting = cursors.awake.size === 0 && cursors.toLookUp.size === 0 && cursors.ended.length === 0;
    return !this.#stopped && isResting && !freezing.isDue;
  }

  async #round(): Promise<void> {
    const { freezing, catchUp } = this.#ports;
    await this.#lookUp();
    await freezing.freezeDue();
    await this.#endDeleted();
    while (!this.#stopped && (await catchUp.turn())) {
      await this.#endRuns();
      if (freezing.isDue) break;
    }
    await this.#endRuns();
  }

  /** A backfill's cursors are stored before its endpoint is published: what there is no row of has none. */
  async #lookUp(): Promise<void> {
    const { cursors, store, partition, freezing } = this.#ports;
    for (const [endpointId, run] of cursors.toLookUp) {
      const cursor = await store.lookUp(partition, endpointId);
      if (this.#stopped) return;
      cursors.lookedUp(endpointId, run, cursor);
      freezing.reconsider(endpointId);
    }
  }

  /** Nobody will ask for what a deleted endpoint has missed. */
  async #endDeleted(): Promise<void> {
    const { cursors, directory, store, writer, around } = this.#ports;
    if (around.monotonic() < this.#doubtAgainAt) return;
    const unknown = [...cursors.awake].filter((endpointId) => directory.get(endpointId) === undefined);
    if (unknown.length === 0) return;
    this.#doubtAgainAt = around.monotonic() + troubledMs;
    // A backfill's endpoint may be published only now: then it is looked at again.
    const existing = await store.existing(unknown);
    const gone = unknown.flatMap((endpointId) =>
      existing.has(endpointId) ? [] : (cursors.book.get(endpointId) ?? []),
    );
    const ends = gone.map(({ endpointId, run }) => ({ kind: 'end' as const, endpointId, run }));
    if (gone.length > 0 && !(await writer.write(ends))) return;
    for (const cursor of gone) cursors.end(cursor);
  }

  /** What follows in the space of an ended run is a repeat: workers are told, then it is forgotten. */
  async #endRuns(): Promise<void> {
    const { cursors, appending, endOfSpace, deliveries, partition: sourcePartition, writer, freezing } = this.#ports;
    if (cursors.ended.length === 0) return;
    const ended = cursors.ended.slice(0, mostEnds);
    for (const { endpointId } of ended) freezing.reconsider(endpointId);
    const records = ended.map(({ endpointId, run, incarnation }) => ({
      topic: deliveries.topic,
      partition: partitionFor(endpointId, deliveries.partitions),
      key: endpointId,
      value: endOfSpace.encode({ endpointId, stream: liveStream, incarnation, sourcePartition, space: run }),
    }));
    if ((await appending.append(records)) === null) return;
    const forgets = ended.map(({ endpointId, run }) => ({ kind: 'forget' as const, endpointId, run }));
    if (await writer.write(forgets)) cursors.ended.splice(0, ended.length);
  }
}
