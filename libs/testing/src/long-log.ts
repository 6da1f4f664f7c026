/** A delivery log as a platform has it after a month: skewed in every column that lists are narrowed by. */
export interface LongLog {
  readonly rows: number;
  /** Unix ms: the newest row is accepted just before. */
  readonly until: number;
  readonly days: number;
}

type Query = (sql: string, parameters?: unknown[]) => Promise<unknown>;

/** Tenants: `t-0` has 60 % of the rows, `t-49` next to none. Endpoints: `ep-<tenant>-<n>`; `ep-0-0` has a quarter of all. */
export const longLog = {
  largeTenant: 't-0',
  tinyTenant: 't-49',
  largeEndpoint: 'ep-0-0',
  /** Answers nothing for a month. */
  downEndpoint: 'ep-1-0',
  /** A type of a twentieth of the rows, none of them the large tenant's. */
  foreignType: 'legacy.synced',
  rareType: 'audit.exported',
  rareSource: '/exports',
} as const;

// Random, and the same each time: setseed. $1: until when, $2: days, $3: rows, of which these are those from $4 to $5.
const insertRows = /* sql */ `
INSERT INTO deliveries (delivery_id, webhook_id, tenant_id, endpoint_id, stream, event_id, event_source, event_type, status,
  attempts, accepted_at, dispatched_at, first_attempt_at, last_attempt_at, completed_at, next_attempt_at, last_status,
  last_error_kind, last_error_message, dead_letter_reason, ordering_key, halted_at)
SELECT endpoint || '.live.0.' || i % 12 || '.' || i, 'msg_' || md5(i::text), 't-' || tenant, endpoint, 'live',
  md5((i / 2)::text)::uuid::text, CASE WHEN a < 0.0001 THEN '/exports' ELSE '/service-' || (a * 6)::integer END,
  CASE WHEN a < 0.0001 THEN 'audit.exported' WHEN tenant <> 0 AND b < 0.125 THEN 'legacy.synced'
    ELSE 'thing-' || (b * b * 20)::integer || '.changed' END,
  status, CASE WHEN c < 0.9 THEN 1 ELSE 2 END, at, at + interval '10 ms', at + interval '12 ms', at + interval '12 ms',
  CASE WHEN status IN ('pending', 'halted') THEN NULL ELSE at + interval '1 second' * (1 + 60 * a) END,
  CASE WHEN status = 'pending' THEN at + interval '1 hour' END,
  CASE WHEN status = 'delivered' THEN CASE WHEN a < 0.97 THEN 200 WHEN a < 0.9999 THEN 204 ELSE 202 END
    WHEN b < 0.6 THEN CASE WHEN a < 0.6 THEN 503 WHEN a < 0.9 THEN 500 WHEN a < 0.999 THEN 429 ELSE 410 END END,
  CASE WHEN status = 'delivered' THEN NULL WHEN b < 0.6 THEN 'status' WHEN b < 0.9 THEN 'timeout'
    WHEN b < 0.998 THEN 'connection-refused' ELSE 'tls' END,
  CASE WHEN status = 'delivered' THEN NULL WHEN b < 0.6 THEN 'the endpoint answered with an error'
    WHEN b < 0.9 THEN 'no answer within ' || (1 + (a * 15)::integer) * 1000 || ' ms'
    WHEN b < 0.998 THEN 'connect ECONNREFUSED 10.0.' || (a * 250)::integer || '.7:443' ELSE 'certificate has expired' END,
  CASE WHEN status = 'dead-lettered' THEN 'exhausted' END,
  CASE WHEN c < 0.7 THEN 'order-' || (a * 20000)::integer END, CASE WHEN status = 'halted' THEN at END
FROM (
  SELECT *, CASE WHEN endpoint = 'ep-1-0' OR c < 0.03 THEN 'dead-lettered' WHEN c < 0.042 THEN 'pending'
    WHEN c < 0.045 THEN 'dropped' WHEN c < 0.046 THEN 'halted' ELSE 'delivered' END AS status
  FROM (
    SELECT *, 'ep-' || tenant || '-' || CASE WHEN tenant = 0 THEN greatest(0, (b * 32)::integer - 13) ELSE (b * 3)::integer END
      AS endpoint
    FROM (
      SELECT i, a, b, c, $1::timestamptz - ($2::float8 * i / $3) * interval '1 day' AS at,
        CASE WHEN t < 0.6 THEN 0 WHEN t > 0.99995 THEN 49 ELSE 1 + (48 * ((t - 0.6) / 0.4) ^ 2)::integer % 48 END AS tenant
      FROM (
        SELECT i, random() AS a, random() AS b, random() AS c, random() AS t 
        FROM (SELECT setseed($4::float8 / $3)) AS seed, generate_series($4::bigint, $5::bigint) AS i
      ) AS drawn
    ) AS placed
  ) AS sent
) AS made
`;

/** As after a month of running: parts of a week for the past. `_older` is empty still. */
const makePastParts = /* sql */ `
DO $do$
DECLARE
  lower timestamptz := date_bin('7 days', '%since%', '2001-01-01 00:00Z');
  first timestamptz := (SELECT min(since) FROM posthorn_parts('deliveries') WHERE since > '-infinity');
BEGIN
  ALTER TABLE deliveries DETACH PARTITION posthorn_partitions.deliveries_older;
  EXECUTE format('ALTER TABLE deliveries ATTACH PARTITION posthorn_partitions.deliveries_older FOR VALUES FROM (MINVALUE) TO (%L)',
    least(lower, first));
  WHILE lower < first LOOP
    EXECUTE format('CREATE TABLE posthorn_partitions.deliveries_%s PARTITION OF deliveries FOR VALUES FROM (%L) TO (%L)',
      to_char(lower AT TIME ZONE 'UTC', 'YYYYMMDD'), lower, lower + interval '7 days');
    PERFORM posthorn_know_part('posthorn_partitions.deliveries_' || to_char(lower AT TIME ZONE 'UTC', 'YYYYMMDD'));
    lower := lower + interval '7 days';
  END LOOP;
END
$do$
`;

const parentIndexes = /* sql */ `
SELECT i.relname AS name, pg_get_indexdef(i.oid) AS sql, c.conname AS key, pg_get_constraintdef(c.oid) AS definition
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid LEFT JOIN pg_constraint c ON c.conindid = i.oid
WHERE x.indrelid = 'deliveries'::regclass
`;

/**
 * Fills an empty log, in the parts that hold the time. The indexes are built afterwards, as that is several times faster.
 * @param query of a pool: two of them run at once
 */
export async function fillLongLog(query: Query, { rows, until, days }: LongLog): Promise<void> {
  const indexes = (await query(parentIndexes)) as {
    name: string;
    sql: string;
    key: string | null;
    definition: string;
  }[];
  for (const { name, key } of indexes)
    await query(key === null ? `DROP INDEX ${name}` : `ALTER TABLE deliveries DROP CONSTRAINT ${key}`);
  await query(makePastParts.replace('%since%', new Date(until - days * 86_400_000).toISOString()));
  const half = Math.floor(rows / 2);
  const ranges = [
    [1, half],
    [half + 1, rows],
  ];
  await Promise.all(ranges.map((range) => query(insertRows, [new Date(until), days, rows, ...range])));
  for (const { sql, key, definition } of indexes)
    await query(
      key === null ? sql.replace(' ON ONLY ', ' ON ') : `ALTER TABLE deliveries ADD CONSTRAINT ${key} ${definition}`,
    );
  await query(`INSERT INTO endpoint_versions (endpoint_id, revision, tenant_id, change, changed_at, config)
    SELECT DISTINCT endpoint_id, 1, tenant_id, 'created', now(), '{}'::jsonb FROM deliveries ON CONFLICT DO NOTHING`);
  await query('ANALYZE deliveries');
}
