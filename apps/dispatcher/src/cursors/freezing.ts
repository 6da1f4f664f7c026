import type { CursorChange, CursorStore, FreezeReason } from './cursor-store.js';
import type { CursorWriter } from './cursor-writer.js';
import type { FreezeWishes, WishListener } from './freeze-wishes.js';
import type { PartitionCursors } from './partition-cursors.js';

/** The partition's pipeline, as far as cursors must know of it. */
export interface Pipeline {
  readonly isStopped: boolean;
  /** There is something to dispatch. */
  readonly isBusy: boolean;
  readonly committedTo: number;
  /** Acknowledged up to here. */
  readonly reached: number;
  readonly isPastOthers: boolean;
  between(work: (position: number) => Promise<void>): Promise<boolean>;
  commitAll(): Promise<boolean>;
}

export interface FreezingPorts {
  readonly pipeline: Pipeline;
  readonly cursors: PartitionCursors;
  readonly writer: CursorWriter;
  readonly store: Pick<CursorStore, 'ping'>;
  readonly wishes: FreezeWishes;
  readonly incarnation: number;
  /** Rules of DESIGN §5 that a test takes away. */
  readonly without: ReadonlySet<CursorRule>;
  /** Never the same again, also when PostgreSQL was set back to an earlier state. */
  newRun(nth: number): string;
  frozen(count: number): void;
}

/** What a simulation takes away, to see what breaks. */
export type CursorRule = 'freeze-stands-still' | 'freeze-past-others' | 'catch-up-below-commit';

const mostAtOnce = 1_000;

/**
 * Freezes endpoints in one source partition. Between two batches, at x: all below x is acknowledged. Stored first, skipped
 * then: if we die before it is stored, nothing has changed; after it, the next owner sends [commit, x) once more as live
 * and skips from x on.
 */
export class Freezing implements WishListener {
  readonly #ports: FreezingPorts;
  readonly #wished = new Map<string, FreezeReason>();
  #runs = 0;

  constructor(ports: FreezingPorts) {
    this.#ports = ports;
  }

  wishChanged(endpointId: string, reason: FreezeReason | null): void {
    this.#ports.cursors.wished(endpointId, reason !== null);
    if (reason === null || this.#ports.cursors.book.get(endpointId) !== undefined) this.#wished.delete(endpointId);
    else this.#wished.set(endpointId, reason);
  }

  /** It is live again, or was never frozen: a wish that stands counts anew. */
  reconsider(endpointId: string): void {
    this.wishChanged(endpointId, this.#ports.wishes.reasonFor(endpointId));
  }

  get isDue(): boolean {
    return this.#wished.size > 0;
  }

  /** Freezes what is due, if that may be begun now. Rejects while the database does not answer: nothing waits for it then. */
  async freezeDue(): Promise<void> {
    const { pipeline, store, without } = this.#ports;
    if (this.#wished.size === 0 || !(pipeline.isPastOthers || without.has('freeze-past-others'))) return;
    await store.ping();
    if (without.has('freeze-stands-still')) {
      let chosen = 0;
      await pipeline.between((position) => Promise.resolve(void (chosen = position)));
      await this.#freezeAt(chosen);
    } else await pipeline.between((position) => this.#freezeAt(position));
  }

  async #freezeAt(position: number): Promise<void> {
    const { cursors, writer, wishes, incarnation } = this.#ports;
    const changes: Extract<CursorChange, { kind: 'freeze' }>[] = [];
    for (const [endpointId, reason] of this.#wished) {
      if (changes.length >= mostAtOnce) break;
      // Where it stands is not known yet: it is not sent to either.
      if (cursors.toLookUp.has(endpointId)) continue;
      if (cursors.book.get(endpointId) !== undefined) continue;
      this.#runs += 1;
      const run = this.#ports.newRun(this.#runs);
      changes.push({ kind: 'freeze', endpointId, run, reason, incarnation, position });
    }
    if (!(await writer.write(changes))) return;
    for (const { endpointId, run } of changes) {
      cursors.add({ endpointId, run, kind: 'freeze', incarnation, position }, wishes.reasonFor(endpointId) !== null);
      this.#wished.delete(endpointId);
    }
    this.#ports.frozen(changes.length);
  }
}
