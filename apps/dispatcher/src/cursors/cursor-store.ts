/** Where an endpoint stands in a source partition that it does not follow live (DESIGN §5). */
export interface StoredCursor {
  readonly endpointId: string;
  /** Dedupe space of its catch-up. */
  readonly run: string;
  /** `freeze`: it was live below the position at which it began. `backfill`: it never was. */
  readonly kind: 'freeze' | 'backfill';
  /** Of the source log that the position is one of. */
  readonly incarnation: number;
  /** Everything below was sent and acknowledged, or is not wanted. */
  readonly position: number;
  /** It is live again; the end record of the run is due. */
  readonly ended: boolean;
}

export type FreezeReason = 'paused' | 'disabled' | 'overflow' | 'circuit';

export type CursorChange =
  | {
      readonly kind: 'freeze';
      readonly endpointId: string;
      readonly run: string;
      readonly reason: FreezeReason;
      readonly incarnation: number;
      readonly position: number;
    }
  | { readonly kind: 'move'; readonly endpointId: string; readonly run: string; readonly position: number }
  /** It is live again, or deleted. */
  | { readonly kind: 'end'; readonly endpointId: string; readonly run: string }
  /** The end record of the run stands in the log. */
  | { readonly kind: 'forget'; readonly endpointId: string; readonly run: string };

/** Cursors in PostgreSQL. Calls reject while it does not answer; whether a write happened is not known then. */
export interface CursorStore {
  /** Resolves when the database answers. */
  ping(): Promise<void>;
  /** Raises the source partition's epoch, so that writes of earlier owners change nothing; then reads its cursors. */
  takeOver(partition: number): Promise<{ readonly epoch: number; readonly cursors: readonly StoredCursor[] }>;
  /**
   * One transaction under that epoch. Written twice it is as if written once: repeat one whose outcome is not known.
   * @returns false when another owner has raised the epoch: nothing was changed
   */
  write(partition: number, epoch: number, changes: readonly CursorChange[]): Promise<boolean>;
  /** The endpoint's cursor that is in force there; null: it has none. */
  lookUp(partition: number, endpointId: string): Promise<StoredCursor | null>;
  /** Those of them that exist: a backfill's cursors are there before its endpoint is known from the log. */
  existing(endpointIds: readonly string[]): Promise<ReadonlySet<string>>;
}
