import type { SimProcess } from './sim-process.js';
import { InMemoryCursors, type CursorChange, type CursorStore } from './subjects.js';
import type { World } from './world.js';

/** What the simulation takes away of the database's part in DESIGN §5. */
export type DatabaseRule = 'cursor-epoch' | 'epoch-per-partition';

/** PostgreSQL, for all processes: what stands there, whether it answers, and what of its rules is taken away. */
export class SimDatabase {
  readonly cursors = new InMemoryCursors();
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

/** A statement that has no answer is given up after so long; whether it happened is not known then. */
const timeoutMs = 2_000;

/** One process's connection to the database. @param die it dies in a write, which arrives so much later, in ms */
export function simCursors(world: World, process: SimProcess, die: (lateMs: number) => void): CursorStore {
  const { database } = world;
  const ask = <T>(work: () => Promise<T>, isWrite = false): Promise<T> => {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const { diesInWrite } = process.trouble;
    if (isWrite && diesInWrite !== null && !process.isDead) {
      process.trouble.diesInWrite = null;
      die(diesInWrite);
    } else if (!process.enters()) return promise;
    process.transmit(() => {
      if (!database.isAvailable) {
        process.answer(() => reject(new Error('the database is away')));
        return;
      }
      // Whatever becomes of the answer, it happens.
      void work().then(
        (result) => {
          if (process.trouble.lostQueries > 0) {
            process.trouble.lostQueries -= 1;
            world.count('lostQuery');
            process.answer(() => reject(new Error('no answer')), timeoutMs);
          } else process.answer(() => resolve(result));
        },
        (error: unknown) => process.answer(() => reject(error as Error)),
      );
    });
    return promise;
  };
  return {
    ping: () => ask(() => Promise.resolve()),
    takeOver: (partition) => ask(() => database.takeOver(partition)),
    write: (partition, epoch, changes) => ask(() => database.write(partition, epoch, changes), true),
    lookUp: (partition, endpointId) => ask(() => database.cursors.lookUp(partition, endpointId)),
    existing: (endpointIds) => ask(() => database.cursors.existing(endpointIds)),
  };
}
