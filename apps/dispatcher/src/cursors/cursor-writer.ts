import { backoffMs, messageOf, pause, type Surroundings } from '../surroundings.js';
import type { CursorChange, CursorStore } from './cursor-store.js';

/** Writes the cursors of one source partition under the epoch of its owner. */
export class CursorWriter {
  readonly #store: Pick<CursorStore, 'write'>;
  readonly #owner: { readonly partition: number; readonly epoch: number };
  readonly #wanted: () => boolean;
  readonly #around: Surroundings;
  readonly #superseded: () => void;

  /**
   * @param wanted whether the partition is still ours, as far as we know
   * @param superseded another owner has raised the epoch
   */
  constructor(
    store: Pick<CursorStore, 'write'>,
    owner: { readonly partition: number; readonly epoch: number },
    wanted: () => boolean,
    superseded: () => void,
    around: Surroundings,
  ) {
    this.#store = store;
    this.#owner = owner;
    this.#wanted = wanted;
    this.#superseded = superseded;
    this.#around = around;
  }

  get epoch(): number {
    return this.#owner.epoch;
  }

  /**
   * Resolves when it is known to have happened, however long that takes.
   * @returns false when it has not, or may not have, because the partition is another's
   */
  write(changes: readonly CursorChange[]): Promise<boolean> {
    const { partition, epoch } = this.#owner;
    return changes.length === 0
      ? Promise.resolve(this.#wanted())
      : this.untilKnown(() => this.#store.write(partition, epoch, changes));
  }

  /** The same for any write under the epoch that may be repeated. */
  async untilKnown(write: () => Promise<boolean>): Promise<boolean> {
    for (let failures = 0; this.#wanted(); failures += 1) {
      try {
        const written = await write();
        if (!written) this.#superseded();
        return written && this.#wanted();
      } catch (error) {
        // A bug, not an answer that is missing: nothing was written.
        if (error instanceof Error && error.name === 'CursorConflict') throw error;
        const { partition } = this.#owner;
        this.#around.log.warn({ partition, reason: messageOf(error) }, 'whether cursors were stored is not known yet');
        await pause(this.#around, backoffMs(failures));
      }
    }
    return false;
  }
}
