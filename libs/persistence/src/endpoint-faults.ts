import { columns, text } from './columns.js';
import type { Database } from './database.js';

/** What dispatchers counted of what a customer has set: filters that fail, transformations that do, or cancel. */
export type EndpointFaultKind = 'filter' | 'transformation' | 'cancelled';

export interface EndpointFaultCount {
  readonly endpointId: string;
  readonly kind: EndpointFaultKind;
  readonly count: number;
  /** Unix milliseconds. */
  readonly lastAt: number;
  readonly lastDetail: string;
}

// In one order, so that two dispatchers do not wait for each other's rows in a circle.
const addFaults = /* sql */ `
INSERT INTO endpoint_faults AS known (endpoint_id, kind, count, last_at, last_detail)
SELECT id, kind, count, to_timestamp(last_at / 1000.0), detail
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::float8[], $5::text[]) AS given (id, kind, count, last_at, detail)
ORDER BY id, kind
ON CONFLICT (endpoint_id, kind) DO UPDATE SET
  count = known.count + excluded.count,
  last_at = greatest(known.last_at, excluded.last_at),
  last_detail = CASE WHEN excluded.last_at >= known.last_at THEN excluded.last_detail ELSE known.last_detail END
`;

interface Row {
  kind: EndpointFaultKind;
  count: string;
  last_at: Date;
  last_detail: string;
}

/** Counts of faults, about right: a crash forgets what was not written, and what is dispatched again counts again. */
export class EndpointFaultLog {
  constructor(private readonly database: Database) {}

  /** Adds to what is there. Of an endpoint and kind there may be one. */
  async addFaults(faults: readonly EndpointFaultCount[]): Promise<void> {
    if (faults.length === 0) return;
    const cells = columns(faults, [
      (one) => one.endpointId,
      (one) => one.kind,
      (one) => one.count,
      (one) => one.lastAt,
      (one) => text(one.lastDetail),
    ]);
    await this.database.session.query(addFaults, cells);
  }

  /** Of one endpoint, by kind; those of which there were none are left out. */
  async of(endpointId: string): Promise<readonly EndpointFaultCount[]> {
    const rows: Row[] = await this.database.session.query(
      'SELECT kind, count, last_at, last_detail FROM endpoint_faults WHERE endpoint_id = $1 ORDER BY kind',
      [endpointId],
    );
    return rows.map((row) => ({
      endpointId,
      kind: row.kind,
      count: Number(row.count),
      lastAt: row.last_at.getTime(),
      lastDetail: row.last_detail,
    }));
  }
}
