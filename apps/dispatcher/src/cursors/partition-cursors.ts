import { CursorBook, type Cursor } from '#libs/core';
import type { DispatchEndpoint, LiveFilter } from '../dispatch-endpoint.js';
import type { StoredCursor } from './cursor-store.js';

/** A run whose end record is due in the log. */
export interface EndedRun {
  readonly endpointId: string;
  readonly run: string;
  readonly incarnation: number;
}

/** The cursors of a source partition in our hands, and whom live dispatch sends to therefore. */
export class PartitionCursors implements LiveFilter {
  readonly book: CursorBook;
  readonly ended: EndedRun[];
  /** Backfills whose cursors were looked up: by run. */
  readonly #known: Set<string>;
  /** Endpoints that may have begun with a cursor which is not known yet: nothing is sent to them until it is. */
  readonly #unknown = new Map<string, string>();

  /** Runs in which we have sent something, all of it stored: endpoint → run. */
  readonly #moved = new Map<string, string>();
  /** Frozen, though nothing wishes them to be: they catch up. */
  readonly awake = new Set<string>();

  /** @param knownBackfills runs of endpoints that were known before the cursors were read */
  constructor(stored: readonly StoredCursor[], knownBackfills: Iterable<string>) {
    this.book = new CursorBook(stored.filter(({ ended }) => !ended));
    this.ended = stored.filter(({ ended }) => ended);
    this.#known = new Set(knownBackfills);
    for (const { endpointId } of this.book) this.awake.add(endpointId);
    for (const { kind, run } of stored) if (kind === 'backfill') this.#known.add(run);
  }

  get allLive(): boolean {
    return this.book.size === 0 && this.#unknown.size === 0;
  }

  isLive({ endpointId }: Pick<DispatchEndpoint, 'endpointId'>, offset: number): boolean {
    return !this.#unknown.has(endpointId) && this.book.isLive(endpointId, offset);
  }

  /** An endpoint's configuration was read; undefined: it is gone. */
  met(endpointId: string, endpoint: Pick<DispatchEndpoint, 'backfill'> | undefined): void {
    // Deleted before it was looked up: its cursor is there all the same, and must be ended.
    if (endpoint === undefined) return;
    const run = endpoint.backfill;
    if (run === null || this.#known.has(run)) this.#unknown.delete(endpointId);
    else this.#unknown.set(endpointId, run);
  }

  /** Endpoints with their runs. */
  get toLookUp(): ReadonlyMap<string, string> {
    return this.#unknown;
  }

  /** Its cursor was looked up; null: it has none here any more. */
  lookedUp(endpointId: string, run: string, cursor: Cursor | null): void {
    if (this.#unknown.get(endpointId) !== run) return;
    this.#unknown.delete(endpointId);
    this.#known.add(run);
    if (cursor !== null && this.book.get(endpointId) === undefined) this.add(cursor, false);
  }

  /** @param wished whether it should stay frozen for now */
  add(cursor: Cursor, wished: boolean): void {
    this.book.add(cursor);
    this.wished(cursor.endpointId, wished);
  }

  /** All below `position` was sent, acknowledged and stored by us. */
  move(endpointId: string, position: number): void {
    this.book.move(endpointId, position);
    const cursor = this.book.get(endpointId);
    if (cursor !== undefined) this.#moved.set(endpointId, cursor.run);
  }

  /** Those that stay frozen for now, with a run of which nothing is on its way. */
  *atRest(): Iterable<Cursor> {
    for (const [endpointId, run] of this.#moved) {
      const cursor = this.book.get(endpointId);
      if (cursor?.run !== run) this.#moved.delete(endpointId);
      else if (!this.awake.has(endpointId)) yield cursor;
    }
  }

  /** Whether it should be frozen. */
  wished(endpointId: string, wished: boolean): void {
    if (wished || this.book.get(endpointId) === undefined) this.awake.delete(endpointId);
    else this.awake.add(endpointId);
  }

  /** Nothing is caught up of it any more: it is live, or deleted. */
  end({ endpointId, run, incarnation }: Cursor): void {
    this.book.delete(endpointId);
    this.awake.delete(endpointId);
    this.ended.push({ endpointId, run, incarnation });
  }
}
