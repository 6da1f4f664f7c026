import type { StoredCursor } from './cursor-rows.js';
import type { CursorChange } from './cursors.js';

export const freeze = (endpointId: string, run: string, position: number): CursorChange => {
  return { kind: 'freeze', endpointId, run, reason: 'paused', incarnation: 2, position };
};
export const move = (endpointId: string, run: string, position: number): CursorChange => {
  return { kind: 'move', endpointId, run, position };
};
export const end = (endpointId: string, run: string): CursorChange => ({ kind: 'end', endpointId, run });
export const forget = (endpointId: string, run: string): CursorChange => ({ kind: 'forget', endpointId, run });
export const cursor = (endpointId: string, run: string, position: number, ended = false): StoredCursor => {
  return { endpointId, run, kind: 'freeze', incarnation: 2, position, ended };
};

/** What a sequence of changes should amount to. */
export class Model {
  constructor(private readonly rows: readonly StoredCursor[] = []) {}

  /** Null: it is refused as a whole. */
  after(changes: readonly CursorChange[]): Model | null {
    let rows = this.rows;
    for (const change of changes) {
      const isIt = (row: StoredCursor): boolean => row.endpointId === change.endpointId && row.run === change.run;
      const update = (changed: (row: StoredCursor) => StoredCursor): void => {
        rows = rows.map((row) => (isIt(row) && !row.ended ? changed(row) : row));
      };
      switch (change.kind) {
        case 'freeze':
          if (rows.some(isIt)) break;
          if (rows.some((row) => row.endpointId === change.endpointId && !row.ended)) return null;
          rows = [...rows, cursor(change.endpointId, change.run, change.position)];
          break;
        case 'move':
          update((row) => ({ ...row, position: Math.max(row.position, change.position) }));
          break;
        case 'end':
          update((row) => ({ ...row, ended: true }));
          break;
        case 'forget':
          rows = rows.filter((row) => !isIt(row) || !row.ended);
          break;
      }
    }
    return new Model(rows);
  }

  told(): string[] {
    return this.rows
      .map(({ endpointId, run, position, ended }) => `${endpointId} ${run} ${position}${ended ? ' ended' : ''}`)
      .toSorted();
  }
}
