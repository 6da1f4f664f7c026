export interface TransformationBreakerLimits {
  /** Times in a row that it may exceed its limits. */
  readonly inARow: number;
  /** Milliseconds for which it is then not run; doubled each time that the run after them exceeds them too. */
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
  /** Transformations that are remembered: those alone that exceeded their limits last, the latest of them. */
  readonly remembered: number;
}

const defaults: TransformationBreakerLimits = {
  inARow: 3,
  firstPauseMs: 30_000,
  longestPauseMs: 3_600_000,
  remembered: 10_000,
};

interface Excess {
  readonly version: number;
  readonly inARow: number;
  /** How often it was paused, one time after the other. */
  readonly pauses: number;
  /** Not run before. */
  readonly until: number;
  /** One run tries whether it may go on. */
  readonly isTrying: boolean;
}

/**
 * Keeps a transformation from being run that exceeds its limits of time or memory each time, which costs a thread more than
 * all that others do. What it fails at otherwise costs little, and is no matter here. A new version starts afresh.
 */
export class TransformationBreaker {
  readonly #limits: TransformationBreakerLimits;
  readonly #excesses = new Map<string, Excess>();

  constructor(limits: Partial<TransformationBreakerLimits> = {}) {
    this.#limits = { ...defaults, ...limits };
  }

  get remembered(): number {
    return this.#excesses.size;
  }

  /**
   * Null when it may be run now, else why it is to fail at once. After its pause one run is let through; others when that
   * has ended, or was not heard of for another pause.
   * @param now milliseconds of any clock that never goes back, as everywhere here
   */
  refusal(transformationId: string, version: number, now: number): string | null {
    const excess = this.#excesses.get(transformationId);
    if (excess === undefined || excess.version !== version || excess.pauses === 0) return null;
    if (now < excess.until) return `not run: it exceeded its limits ${this.#limits.inARow} times in a row`;
    this.#keep(transformationId, { ...excess, isTrying: true, until: now + this.#pauseMs(excess.pauses) });
    return null;
  }

  /** A run has ended. One of an older version than the last that was heard of says nothing any more. */
  ran(transformationId: string, version: number, exceeded: boolean, now: number): void {
    const known = this.#excesses.get(transformationId);
    if (known !== undefined && version < known.version) return;
    if (!exceeded) {
      this.#excesses.delete(transformationId);
      return;
    }
    const before = known?.version === version ? known : { version, inARow: 0, pauses: 0, until: 0, isTrying: false };
    // It was begun before the pause.
    if (before.pauses > 0 && !before.isTrying) return;
    const inARow = Math.min(this.#limits.inARow, before.inARow + 1);
    const pauses = inARow < this.#limits.inARow ? 0 : before.pauses + 1;
    const until = pauses === 0 ? 0 : now + this.#pauseMs(pauses);
    this.#keep(transformationId, { version, inARow, pauses, until, isTrying: false });
  }

  #pauseMs(pauses: number): number {
    const { firstPauseMs, longestPauseMs } = this.#limits;
    return Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(pauses - 1, 50));
  }

  #keep(transformationId: string, excess: Excess): void {
    this.#excesses.delete(transformationId);
    this.#excesses.set(transformationId, excess);
    const [oldest] = this.#excesses.keys();
    if (this.#excesses.size > this.#limits.remembered && oldest !== undefined) this.#excesses.delete(oldest);
  }
}
