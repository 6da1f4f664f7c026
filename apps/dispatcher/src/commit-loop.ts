import type { SourceMark } from '#libs/core';
import type { PartitionCommit } from '#libs/kafka';
import { messageOf, type Surroundings } from './surroundings.js';

/** A partition that has something to commit now and then. */
export interface Committable {
  /** What is done and not yet committed; null when there is nothing, or it is no longer ours. */
  commitable(): { readonly commit: PartitionCommit; readonly mark: SourceMark } | null;
  /** The broker has confirmed it. */
  committed(mark: SourceMark): void;
}

/** Commits for all partitions of this process together: one commit on its way, one each `intervalMs` unless asked sooner. */
export class CommitLoop {
  readonly #partitions = new Set<Committable>();
  readonly #group: { commit(commits: readonly PartitionCommit[]): Promise<void> };
  readonly #gate: { isHeld(): boolean };
  readonly #around: Surroundings;
  readonly #intervalMs: number;
  #callOff: (() => void) | null = null;
  #running: Promise<boolean> | null = null;
  #again = false;

  constructor(
    group: { commit(commits: readonly PartitionCommit[]): Promise<void> },
    gate: { isHeld(): boolean },
    around: Surroundings,
    intervalMs: number,
  ) {
    this.#group = group;
    this.#gate = gate;
    this.#around = around;
    this.#intervalMs = intervalMs;
  }

  add(partition: Committable): void {
    this.#partitions.add(partition);
  }

  remove(partition: Committable): void {
    this.#partitions.delete(partition);
  }

  /** There is something to commit, before long. */
  soon(): void {
    this.#callOff ??= this.#around.schedule(this.#intervalMs, () => {
      this.#callOff = null;
      this.now();
    });
  }

  /** A window is filling up: do not wait. */
  now(): void {
    if (this.#running !== null) this.#again = true;
    else void this.#run();
  }

  /** Commits what there is, if the group takes it. */
  async flush(): Promise<void> {
    if (this.#running !== null) await this.#running;
    await (this.#running ?? this.#run());
  }

  close(): void {
    this.#callOff?.();
    this.#callOff = null;
    this.#partitions.clear();
  }

  #run(): Promise<boolean> {
    const run = this.#commitAll().finally(() => {
      this.#running = null;
      const again = this.#again;
      this.#again = false;
      if (again) this.now();
    });
    this.#running = run;
    return run;
  }

  /** @returns whether nothing was refused. */
  async #commitAll(): Promise<boolean> {
    const found = [...this.#partitions].flatMap((partition) => {
      const one = partition.commitable();
      return one === null ? [] : [{ partition, ...one }];
    });
    if (found.length === 0) return true;
    if (!this.#gate.isHeld()) {
      this.soon();
      return false;
    }
    try {
      await this.#group.commit(found.map(({ commit }) => commit));
    } catch (error) {
      // Of what is no longer ours we will be told; the rest is committed with the next.
      this.#around.log.warn({ reason: messageOf(error) }, 'a commit was not taken; tried again');
      this.#again = false;
      this.soon();
      return false;
    }
    for (const { partition, mark } of found) partition.committed(mark);
    return true;
  }
}
