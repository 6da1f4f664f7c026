import { InMemoryCursors, InMemoryReplays, type CursorChange, type CursorStore } from './subjects.js';

/** What the simulation takes away of the database's part in DESIGN §5. */
export type DatabaseRule = 'cursor-epoch' | 'epoch-per-partition';

/** PostgreSQL, for all processes: what stands there, whether it answers, and what of its rules is taken away. */
export class SimDatabase {
  readonly cursors = new InMemoryCursors();
  readonly replays = new InMemoryReplays(this.cursors);
  isAvailable = true;
  readonly #without: ReadonlySet<unknown>;
  /** Where each row has an epoch of its own: by source partition and endpoint. */
  readonly #rowEpochs = new Map<string, number>();

  constructor(without: ReadonlySet<unknown>) {
    this.#without = without;
  }

  takeOver(partition: number): ReturnType<CursorStore['takeOver']> {
    for (const { endpointId } of this.cursors.rowsOf(partition).values()) {
      this.#rowEpochs.set(`${partition} ${endpointId}`, (this.cursors.epochs.get(partition) ?? 0) + 1);
    }
    return this.cursors.takeOver(partition);
  }

  write(partition: number, epoch: number, changes: readonly CursorChange[]): Promise<boolean> {
    const present = this.cursors.epochs.get(partition) ?? 0;
    if (this.#without.has('cursor-epoch')) return this.cursors.write(partition, present, changes);
    if (!this.#without.has('epoch-per-partition')) return this.cursors.write(partition, epoch, changes);
    for (const { endpointId } of changes) {
      const name = `${partition} ${endpointId}`;
      if ((this.#rowEpochs.get(name) ?? epoch) > epoch) return Promise.resolve(false);
      this.#rowEpochs.set(name, epoch);
    }
    return this.cursors.write(partition, present, changes);
  }
}
