import type { Report } from './messages.js';

interface PathTally {
  readonly arrivals: number[];
  readonly webhookIds: Set<string>;
  highest: number;
}

/** Counts receipts of the events of one tag. */
export class Tally {
  readonly #paths = new Map<string, PathTally>();
  #received = 0;
  #duplicates = 0;
  #outOfOrder = 0;
  #lastAt = 0;
  #bytes = 0;

  constructor(
    readonly tag: string,
    readonly expected: number,
  ) {}

  /**
   * @param eventId `<tag>.<sequence>`; of other tags nothing is counted
   * @param at machine time
   * @returns true when this receipt made the count complete
   */
  take(path: string, webhookId: string, eventId: string, at: number, bodyBytes: number): boolean {
    const dot = eventId.lastIndexOf('.');
    if (eventId.slice(0, dot) !== this.tag) return false;
    const sequence = Number(eventId.slice(dot + 1));
    let tally = this.#paths.get(path);
    if (tally === undefined) {
      tally = { arrivals: [], webhookIds: new Set(), highest: -1 };
      this.#paths.set(path, tally);
    }
    if (tally.webhookIds.has(webhookId)) {
      this.#duplicates += 1;
      return false;
    }
    tally.webhookIds.add(webhookId);
    for (let next = tally.arrivals.length; next < sequence; next += 1) tally.arrivals[next] = 0;
    tally.arrivals[sequence] = at;
    if (sequence < tally.highest) this.#outOfOrder += 1;
    else tally.highest = sequence;
    this.#lastAt = at;
    this.#bytes += bodyBytes;
    this.#received += 1;
    return this.#received === this.expected;
  }

  report(): Report {
    return {
      paths: Array.from(this.#paths, ([path, { arrivals }]) => ({ path, arrivals })),
      received: this.#received,
      duplicates: this.#duplicates,
      outOfOrder: this.#outOfOrder,
      lastAt: this.#lastAt,
      meanBodyBytes: this.#received === 0 ? 0 : Math.round(this.#bytes / this.#received),
    };
  }
}
