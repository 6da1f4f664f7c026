/** Where an endpoint stands in a source partition that it does not follow live. */
export interface Cursor {
  readonly endpointId: string;
  /** Dedupe space of its catch-up. */
  readonly run: string;
  /** `freeze`: it was live below the position at which it began. `backfill`: it never was. */
  readonly kind: 'freeze' | 'backfill';
  /** Of the source log that the position is one of. */
  readonly incarnation: number;
  /** Everything below was sent and acknowledged, or is not wanted. */
  readonly position: number;
}

interface Entry {
  readonly cursor: Cursor;
  /** Live dispatch still sends what lies below: it did before the freeze, and may have to repeat it. */
  readonly liveBelow: number;
}

/**
 * The cursors in force of one source partition (DESIGN §5), as they are stored: nothing is noted here before it is known to
 * be written. An endpoint without one follows live.
 */
export class CursorBook implements Iterable<Cursor> {
  readonly #entries = new Map<string, Entry>();

  /** @param stored as found at take-over: one for an endpoint at most */
  constructor(stored: Iterable<Cursor> = []) {
    for (const cursor of stored) this.add(cursor);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Whether live dispatch sends the record at `offset` to the endpoint. */
  isLive(endpointId: string, offset: number): boolean {
    if (this.#entries.size === 0) return true;
    const entry = this.#entries.get(endpointId);
    return entry === undefined || offset < entry.liveBelow;
  }

  get(endpointId: string): Cursor | undefined {
    return this.#entries.get(endpointId)?.cursor;
  }

  /** The endpoint is frozen, or was found to have a cursor. */
  add(cursor: Cursor): void {
    if (this.#entries.has(cursor.endpointId)) throw new RangeError(`${cursor.endpointId} has a cursor already`);
    this.#entries.set(cursor.endpointId, { cursor, liveBelow: cursor.kind === 'freeze' ? cursor.position : 0 });
  }

  /** All below `position` is done. */
  move(endpointId: string, position: number): void {
    const entry = this.#entries.get(endpointId);
    if (entry === undefined) return;
    if (position < entry.cursor.position) {
      throw new RangeError(`${endpointId} moves back, from ${entry.cursor.position} to ${position}`);
    }
    this.#entries.set(endpointId, { ...entry, cursor: { ...entry.cursor, position } });
  }

  /** It is live again, or deleted. */
  delete(endpointId: string): void {
    this.#entries.delete(endpointId);
  }

  *[Symbol.iterator](): Iterator<Cursor> {
    for (const { cursor } of this.#entries.values()) yield cursor;
  }
}
