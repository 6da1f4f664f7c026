import type { FreezeReason } from './cursor-store.js';

/** `load`: its own. `partition`: it is one of the fattest of a partition that holds too much. `cost`: its transformation's. */
type Cause = 'state' | 'load' | 'partition' | 'cost' | 'fault';

export interface WishListener {
  /** It should be frozen in every source partition; null: no longer. */
  wishChanged(endpointId: string, reason: FreezeReason | null): void;
}

/** Which endpoints should not be followed live, and why: their state as configured, what workers tell of their load,
 * and what their transformations take. */
export class FreezeWishes {
  readonly #wishes = {
    state: new Map<string, FreezeReason>(),
    load: new Map<string, FreezeReason>(),
    partition: new Map<string, FreezeReason>(),
    cost: new Map<string, FreezeReason>(),
    fault: new Map<string, FreezeReason>(),
  } as const;
  readonly #listeners = new Set<WishListener>();

  reasonFor(endpointId: string): FreezeReason | null {
    const { state, load, partition, cost, fault } = this.#wishes;
    const found = [state, fault, load, partition, cost].find((wishes) => wishes.has(endpointId));
    return found?.get(endpointId) ?? null;
  }

  /** Whether what its owner has set costs too much at present. */
  isCostly(endpointId: string): boolean {
    return this.#wishes.cost.has(endpointId);
  }

  set(endpointId: string, cause: Cause, reason: FreezeReason | null): void {
    const before = this.reasonFor(endpointId);
    const wishes = this.#wishes[cause];
    if (reason === null) wishes.delete(endpointId);
    else wishes.set(endpointId, reason);
    const now = this.reasonFor(endpointId);
    if (now !== before) for (const listener of this.#listeners) listener.wishChanged(endpointId, now);
  }

  /** Tells what is wished now, and from now on. @returns how to stop */
  listen(listener: WishListener): () => void {
    this.#listeners.add(listener);
    const all = Object.values(this.#wishes).flatMap((wishes) => [...wishes.keys()]);
    for (const endpointId of new Set(all)) {
      listener.wishChanged(endpointId, this.reasonFor(endpointId));
    }
    return () => void this.#listeners.delete(listener);
  }
}
