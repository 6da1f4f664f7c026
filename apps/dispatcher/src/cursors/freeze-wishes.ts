import type { FreezeReason } from './cursor-store.js';

type Cause = 'state' | 'load';

export interface WishListener {
  /** It should be frozen in every source partition; null: no longer. */
  wishChanged(endpointId: string, reason: FreezeReason | null): void;
}

/** Which endpoints should not be followed live, and why: their state as configured, and what workers tell of their load. */
export class FreezeWishes {
  readonly #state = new Map<string, FreezeReason>();
  readonly #load = new Map<string, FreezeReason>();
  readonly #listeners = new Set<WishListener>();

  reasonFor(endpointId: string): FreezeReason | null {
    return this.#state.get(endpointId) ?? this.#load.get(endpointId) ?? null;
  }

  /** Those of one cause. */
  of(cause: Cause): ReadonlyMap<string, FreezeReason> {
    return cause === 'state' ? this.#state : this.#load;
  }

  set(endpointId: string, cause: Cause, reason: FreezeReason | null): void {
    const before = this.reasonFor(endpointId);
    const wishes = cause === 'state' ? this.#state : this.#load;
    if (reason === null) wishes.delete(endpointId);
    else wishes.set(endpointId, reason);
    const now = this.reasonFor(endpointId);
    if (now !== before) for (const listener of this.#listeners) listener.wishChanged(endpointId, now);
  }

  /** Tells what is wished now, and from now on. @returns how to stop */
  listen(listener: WishListener): () => void {
    this.#listeners.add(listener);
    for (const endpointId of new Set([...this.#state.keys(), ...this.#load.keys()])) {
      listener.wishChanged(endpointId, this.reasonFor(endpointId));
    }
    return () => void this.#listeners.delete(listener);
  }
}
