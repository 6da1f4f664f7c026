/** First attempts of live events, or what may wait behind them: retries, replays. */
export type WorkKind = 'fresh' | 'old';

export interface Share {
  /** Old work that may go … */
  readonly old: number;
  /** … for so much fresh work. */
  readonly fresh: number;
}

/** A quarter. */
const defaultShare: Share = { old: 1, fresh: 3 };

/**
 * Fresh before old (DESIGN §3, Time): while fresh work waits, old work gets its share and no more; when none waits, it
 * gets everything. Whoever always asks `mayTakeOld` first gives old work its full share too, so it does not starve.
 */
export class ShareBudget {
  readonly #share: Share;
  readonly #most: number;
  /** Earned by fresh work. */
  #credit = 0;

  /**
   * @param saved pieces of old work whose cost may be saved up: one, so that there is no burst, or more for who asks only
   * now and then, and would get less than the share otherwise
   */
  constructor(share: Share = defaultShare, saved = 1) {
    this.#share = share;
    this.#most = share.fresh * saved;
  }

  mayTakeOld(freshWaits: boolean): boolean {
    return !freshWaits || this.#credit >= this.#share.fresh;
  }

  took(kind: WorkKind): void {
    const { old, fresh } = this.#share;
    this.#credit = kind === 'fresh' ? Math.min(this.#most, this.#credit + old) : Math.max(0, this.#credit - fresh);
  }
}
