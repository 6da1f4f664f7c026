/** Why an endpoint does not follow a source partition live. */
export type CursorReason = 'paused' | 'disabled' | 'overflow' | 'circuit' | 'backfill';

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

/** The same with what is told to people. Times are Unix milliseconds. */
export interface CursorRecord extends StoredCursor {
  readonly partition: number;
  readonly reason: CursorReason;
  /** Position at which it began. */
  readonly startedAt: number;
  readonly createdAt: number;
}

export interface CursorRow {
  endpoint_id: string;
  source_partition: number;
  run: string;
  kind: 'freeze' | 'backfill';
  reason: CursorReason;
  incarnation: number;
  started_at: string;
  position: string;
  ended: boolean;
  created_at: Date;
}

/** bigint arrives as text, because it may exceed 2^53; offsets do not. */
export const storedCursorOf = (row: CursorRow): StoredCursor => ({
  endpointId: row.endpoint_id,
  run: row.run,
  kind: row.kind,
  incarnation: row.incarnation,
  position: Number(row.position),
  ended: row.ended,
});

export const cursorRecordOf = (row: CursorRow): CursorRecord => ({
  ...storedCursorOf(row),
  partition: row.source_partition,
  reason: row.reason,
  startedAt: Number(row.started_at),
  createdAt: row.created_at.getTime(),
});
