import { pause, type Surroundings } from './surroundings.js';

const lookAgainMs = 20;

/** Whether this process may act for its partitions, and whether it may begin something new (DESIGN §3 "Ownership"). */
export class LeaseGate {
  readonly #membership: { heldUntil(): number };
  readonly #around: Surroundings;
  #closed: 'open' | 'for-good' | { readonly lease: number } = 'open';

  constructor(membership: { heldUntil(): number }, around: Surroundings) {
    this.#membership = membership;
    this.#around = around;
  }

  /** The lease lasts: what was begun may be carried on, and committed. */
  isHeld(): boolean {
    return this.#around.monotonic() < this.#membership.heldUntil();
  }

  /** Nothing new begins until the lease has been renewed: a join is coming. */
  closeForJoin(): void {
    if (this.#closed !== 'for-good') this.#closed = { lease: this.#membership.heldUntil() };
  }

  closeForGood(): void {
    this.#closed = 'for-good';
  }

  /** Resolves with true as soon as something may begin, with false when `wanted` no longer says so. */
  async entered(wanted: () => boolean): Promise<boolean> {
    while (wanted()) {
      if (this.#isOpen() && this.isHeld()) return true;
      await pause(this.#around, lookAgainMs);
    }
    return false;
  }

  #isOpen(): boolean {
    if (this.#closed === 'for-good') return false;
    if (this.#closed !== 'open' && this.#membership.heldUntil() > this.#closed.lease) this.#closed = 'open';
    return this.#closed === 'open';
  }
}
