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
  /** Earned by fresh work; at most what one piece of old work costs, so that nothing is saved up for a burst. */
  #credit = 0;

  constructor(share: Share = defaultShare) {
    this.#share = share;
  }

  mayTakeOld(freshWaits: boolean): boolean {
    return !freshWaits || this.#credit >= this.#share.fresh;
  }

  took(kind: WorkKind): void {
    const { old, fresh } = this.#share;
    this.#credit = kind === 'fresh' ? Math.min(fresh, this.#credit + old) : Math.max(0, this.#credit - fresh);
  }
}
