/**
 * Whether a member of a group may still act: start a POST, append, commit (DESIGN §3, Ownership). Another member can get
 * its partitions no earlier than a session timeout after the *send* time of the last heartbeat that was acknowledged; a
 * third of it is kept as a margin for a process that sleeps between looking and acting.
 *
 * All times are milliseconds of one monotonic clock.
 */
export class Lease {
  #until = Number.NEGATIVE_INFINITY;
  readonly #lengthMs: number;

  constructor(sessionTimeoutMs: number) {
    this.#lengthMs = (sessionTimeoutMs * 2) / 3;
  }

  /** A SyncGroup or heartbeat was acknowledged. `sentAt` is when it was sent, not when the answer came. */
  confirmed(sentAt: number): void {
    this.#until = Math.max(this.#until, sentAt + this.#lengthMs);
  }

  /** A JoinGroup is about to be sent, or the membership is over: ends at once. */
  ended(): void {
    this.#until = Number.NEGATIVE_INFINITY;
  }

  heldUntil(): number {
    return this.#until;
  }

  isHeld(now: number): boolean {
    return now < this.#until;
  }
}
