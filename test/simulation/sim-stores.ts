import type { SimProcess } from './sim-process.js';
import type { CursorStore, ReplayStore } from './subjects.js';
import type { World } from './world.js';

/** A statement that has no answer is given up after so long; whether it happened is not known then. */
const timeoutMs = 2_000;

/** One process's connection to the database. @param die it dies in a write, which arrives so much later, in ms */
export function simStores(
  world: World,
  process: SimProcess,
  die: (lateMs: number) => void,
): { readonly cursors: CursorStore; readonly replays: ReplayStore } {
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
  const cursors: CursorStore = {
    ping: () => ask(() => Promise.resolve()),
    takeOver: (partition) => ask(() => database.takeOver(partition)),
    write: (partition, epoch, changes) =>
      ask(async () => {
        const written = await database.write(partition, epoch, changes);
        world.trace.detail(() => `${process.name} ${partition} epoch ${epoch} ${written} ${JSON.stringify(changes)}`);
        return written;
      }, true),
    lookUp: (partition, endpointId) => ask(() => database.cursors.lookUp(partition, endpointId)),
    existing: (endpointIds) => ask(() => database.cursors.existing(endpointIds)),
  };
  const replays: ReplayStore = {
    parts: (ownedBy, replayId) => ask(() => database.replays.parts(ownedBy, replayId)),
    checkpoint: (ownedBy, epoch, at) =>
      ask(async () => {
        const written = await database.replays.checkpoint(ownedBy, epoch, at);
        world.trace.detail(() => `${process.name} ${ownedBy} epoch ${epoch} ${written} ${JSON.stringify(at)}`);
        return written;
      }, true),
    openDeadLetters: (replayId, ids) => ask(() => database.replays.openDeadLetters(replayId, ids)),
    pastSubscriptions: () => ask(() => database.replays.pastSubscriptions()),
  };
  return { cursors, replays };
}
