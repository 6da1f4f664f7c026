import type { Scans } from './scans.js';

/** An endpoint that is behind, as far as whose turn it is depends on it. */
export interface Behind {
  readonly cursor: { readonly endpointId: string; readonly position: number };
  /** Deliveries that may be sent to it now; 0: it waits for its next slice. */
  readonly room: number;
}

/** An endpoint that no scan meets waits so long for its turn, while others can be served … */
const patienceMs = 10_000;
/** … and a scan is opened for one of those so often, at most. */
const openEveryMs = 2_000;

/**
 * Whose turn it is to catch up. Opening a scan costs a read back of all that is needed to tell repeats. So one that is open
 * goes on from the lowest of those that it covers, and takes along whom it meets; another one is opened where the lowest
 * stands, or for one that has waited for long.
 */
export class Turns {
  readonly #monotonic: () => number;
  readonly #servedAt = new Map<string, number>();
  #openedAt = Number.NEGATIVE_INFINITY;

  constructor(monotonic: () => number) {
    this.#monotonic = monotonic;
  }

  /** @returns the one that is served next, and from where on; null: nobody for now */
  choose<T extends Behind>(all: readonly T[], scans: Pick<Scans, 'covers'>): T | null {
    const now = this.#monotonic();
    for (const { cursor } of all) if (!this.#servedAt.has(cursor.endpointId)) this.served(cursor.endpointId);
    const servedAt = ({ cursor }: T): number => this.#servedAt.get(cursor.endpointId) ?? now;
    const byAge = all.filter(({ room }) => room > 0).toSorted((a, b) => servedAt(a) - servedAt(b));
    const [oldest] = byAge;
    if (oldest === undefined) return null;
    const isImpatient = now - servedAt(oldest) >= patienceMs && now - this.#openedAt >= openEveryMs;
    if (isImpatient) return oldest;
    const met = byAge.find(({ cursor }) => scans.covers(cursor.position));
    // Whoever is on its way has the next slice soon.
    if (met !== undefined || all.some(({ cursor }) => scans.covers(cursor.position))) return met ?? null;
    const [lowest = oldest] = byAge.toSorted((a, b) => a.cursor.position - b.cursor.position);
    return lowest;
  }

  served(endpointId: string): void {
    this.#servedAt.set(endpointId, this.#monotonic());
  }

  opened(): void {
    this.#openedAt = this.#monotonic();
  }

  forget(endpointId: string): void {
    this.#servedAt.delete(endpointId);
  }

  clear(): void {
    this.#servedAt.clear();
  }
}
