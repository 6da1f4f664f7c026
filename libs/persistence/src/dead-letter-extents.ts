import { columns } from './columns.js';
import type { Database } from './database.js';
import { deadLetterConditions, deadLetters, type DeadLetterFilter } from './dead-letter-filter.js';

/** Where the open dead letters of an endpoint stand in the dead-letters topic. */
export interface DeadLetterExtent {
  readonly tenantId: string;
  readonly endpointId: string;
  /** Null: their records are not projected yet. */
  readonly place: { readonly partition: number; readonly from: number; readonly to: number } | null;
  readonly count: number;
}

export interface DeadLetterCount {
  readonly endpointId: string;
  readonly eventType: string;
  readonly count: number;
}

interface ExtentRow {
  tenant_id: string;
  endpoint_id: string;
  log_partition: number | null;
  lowest: string | null;
  highest: string | null;
  count: number;
}

type Filter = Omit<DeadLetterFilter, 'state'>;

/** What a replay of open dead letters has to read; those of endpoints that are deleted are not among them. */
export class DeadLetterExtents {
  constructor(private readonly database: Database) {}

  async find(filter: Filter): Promise<readonly DeadLetterExtent[]> {
    const conditions = deadLetterConditions({ ...filter, state: 'open' });
    const rows: ExtentRow[] = await this.database.session.query(
      `SELECT d.tenant_id, d.endpoint_id, l.log_partition, min(l.log_offset) AS lowest, max(l.log_offset) AS highest,
         count(*)::integer AS count
       FROM ${deadLetters} JOIN endpoints e ON e.id = d.endpoint_id ${conditions.where()}
       GROUP BY d.tenant_id, d.endpoint_id, l.log_partition ORDER BY d.endpoint_id, l.log_partition`,
      conditions.parameters,
    );
    return rows.map((row) => ({
      tenantId: row.tenant_id,
      endpointId: row.endpoint_id,
      place:
        row.log_partition === null
          ? null
          : { partition: row.log_partition, from: Number(row.lowest), to: Number(row.highest) + 1 },
      count: row.count,
    }));
  }

  /** How many of them stand below the offset that is given for their partition, by partition. */
  async countBelow(
    filter: Filter,
    starts: readonly { readonly partition: number; readonly start: number }[],
  ): Promise<ReadonlyMap<number, number>> {
    if (starts.length === 0) return new Map();
    const conditions = deadLetterConditions({ ...filter, state: 'open' });
    const [partitions, offsets] = columns(starts, [(one) => one.partition, (one) => one.start]).map((values) =>
      conditions.value(values),
    );
    const rows: { partition: number; count: number }[] = await this.database.session.query(
      `SELECT s.partition, count(*)::integer AS count
       FROM ${deadLetters} JOIN endpoints e ON e.id = d.endpoint_id
       JOIN unnest(${partitions}::integer[], ${offsets}::bigint[]) AS s (partition, start)
         ON s.partition = l.log_partition AND l.log_offset < s.start
       ${conditions.where()} GROUP BY s.partition`,
      conditions.parameters,
    );
    return new Map(rows.map(({ partition, count }) => [partition, count]));
  }

  /** Most frequent first. */
  async counts(filter: Filter, limit: number): Promise<readonly DeadLetterCount[]> {
    const conditions = deadLetterConditions({ ...filter, state: 'open' });
    const rows: { endpoint_id: string; event_type: string; count: number }[] = await this.database.session.query(
      `SELECT d.endpoint_id, d.event_type, count(*)::integer AS count
       FROM ${deadLetters} JOIN endpoints e ON e.id = d.endpoint_id ${conditions.where()}
       GROUP BY d.endpoint_id, d.event_type ORDER BY count DESC, d.endpoint_id, d.event_type
       LIMIT ${conditions.value(limit)}`,
      conditions.parameters,
    );
    return rows.map(({ endpoint_id: endpointId, event_type: eventType, count }) => ({ endpointId, eventType, count }));
  }
}
