import type { CursorChange, CursorStore, StoredCursor } from '../src/cursors/cursor-store.js';

const nameOf = ({ endpointId, run }: { endpointId: string; run: string }): string => `${endpointId} ${run}`;

/** CursorStore as PostgreSQL would be, for one log; its faults are chosen by the test. */
export class InMemoryCursors implements CursorStore {
  readonly epochs = new Map<number, number>();
  readonly rows = new Map<number, Map<string, StoredCursor>>();
  readonly endpoints = new Set<string>();
  /** It does not answer, and nothing happens. */
  isAway = false;
  /** How often somebody was about to freeze. */
  pings = 0;
  readonly #lost = new Map<string, number>();

  ping(): Promise<void> {
    this.pings += 1;
    return this.#answer('ping', () => undefined);
  }

  takeOver(partition: number): Promise<{ readonly epoch: number; readonly cursors: readonly StoredCursor[] }> {
    return this.#answer('takeOver', () => {
      const epoch = (this.epochs.get(partition) ?? 0) + 1;
      this.epochs.set(partition, epoch);
      return { epoch, cursors: [...this.rowsOf(partition).values()] };
    });
  }

  write(partition: number, epoch: number, changes: readonly CursorChange[]): Promise<boolean> {
    return this.#answer('write', () => {
      if (this.epochs.get(partition) !== epoch) return false;
      for (const change of changes) this.#apply(this.rowsOf(partition), change);
      return true;
    });
  }

  lookUp(partition: number, endpointId: string): Promise<StoredCursor | null> {
    return this.#answer(
      'lookUp',
      () => [...this.rowsOf(partition).values()].find((row) => row.endpointId === endpointId && !row.ended) ?? null,
    );
  }

  existing(endpointIds: readonly string[]): Promise<ReadonlySet<string>> {
    return this.#answer('existing', () => new Set(endpointIds.filter((endpointId) => this.endpoints.has(endpointId))));
  }

  rowsOf(partition: number): Map<string, StoredCursor> {
    const rows = this.rows.get(partition) ?? new Map<string, StoredCursor>();
    this.rows.set(partition, rows);
    return rows;
  }

  /** As the api creates it, with its endpoint. */
  backfill(partition: number, endpointId: string, run: string, position: number): void {
    this.endpoints.add(endpointId);
    const row = { endpointId, run, kind: 'backfill' as const, incarnation: 0, position, ended: false };
    this.rowsOf(partition).set(nameOf(row), row);
  }

  #apply(rows: Map<string, StoredCursor>, change: CursorChange): void {
    const name = nameOf(change);
    const row = rows.get(name);
    if (change.kind === 'freeze') {
      if (row !== undefined) return;
      const other = [...rows.values()].find(({ endpointId, ended }) => endpointId === change.endpointId && !ended);
      if (other !== undefined) throw new Error(`${change.endpointId} has a cursor of run ${other.run} already`);
      const { endpointId, run, incarnation, position } = change;
      rows.set(name, { endpointId, run, kind: 'freeze', incarnation, position, ended: false });
    } else if (row === undefined) return;
    else if (change.kind === 'move') {
      if (!row.ended) rows.set(name, { ...row, position: Math.max(row.position, change.position) });
    } else if (change.kind === 'end') rows.set(name, { ...row, ended: true });
    else if (row.ended) rows.delete(name);
  }

  /** The next calls of that kind happen, and do not say so. */
  losesAnswersOf(call: 'write', count: number): void {
    this.#lost.set(call, count);
  }

  async #answer<T>(call: string, work: () => T): Promise<T> {
    await Promise.resolve();
    if (this.isAway) throw new Error('PostgreSQL does not answer');
    const result = work();
    const lost = this.#lost.get(call) ?? 0;
    if (lost === 0) return result;
    this.#lost.set(call, lost - 1);
    throw new Error('the answer was lost');
  }
}
