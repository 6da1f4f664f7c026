/**
 * How deliveries stand that a batch may end. $1, $2: their ids, and when their events were accepted (Unix ms): each is looked
 * for in its own part of the log, however far apart they are in time.
 */
export const selectEnds = /* sql */ `
SELECT delivery_id, status
FROM unnest($1::text[], $2::float8[]) AS asked (id, at)
JOIN deliveries ON delivery_id = id AND accepted_at = to_timestamp(at / 1000.0)::timestamptz(3)
WHERE status IN ('delivered', 'dead-lettered', 'dropped')
`;

const sums = ['attempts', 'failed', 'delivered', 'dead_lettered', 'dropped'];

/** What there is of a row is added to it. */
export const addedStats = `ON CONFLICT (tenant_id, hour, endpoint_id, event_type) DO UPDATE SET
  ${sums.map((column) => `${column} = s.${column} + EXCLUDED.${column}`).join(',\n  ')},
  latency = CASE
    WHEN EXCLUDED.latency IS NULL THEN s.latency
    WHEN s.latency IS NULL THEN EXCLUDED.latency
    ELSE posthorn_add_counts(s.latency, EXCLUDED.latency)::integer[]
  END`;

/** Adds a batch's counts. In the order of the key, so that two projectors wait for each other instead of standing still. */
export const addStats = /* sql */ `
INSERT INTO delivery_stats AS s (
  tenant_id, endpoint_id, event_type, hour, attempts, failed, delivered, dead_lettered, dropped, latency
)
SELECT
  tenant_id, endpoint_id, event_type, to_timestamp(hour / 1000.0), attempts, failed, delivered, dead_lettered, dropped,
  latency::integer[]
FROM unnest(
  $1::text[], $2::text[], $3::text[], $4::float8[], $5::integer[], $6::integer[], $7::integer[], $8::integer[],
  $9::integer[], $10::text[]
) AS row (tenant_id, endpoint_id, event_type, hour, attempts, failed, delivered, dead_lettered, dropped, latency)
ORDER BY tenant_id, hour, endpoint_id, event_type
${addedStats}
`;

/** @param key what a bucket is divided by, `begin` where a bucket begins: expressions over a row */
export const selectStats = (begin: string, key: string, where: string, tail: string): string => /* sql */ `
SELECT * FROM (
  SELECT
    ${begin} AS start, ${key} AS key,
    ${sums.map((column) => `sum(${column})::float8 AS ${column}`).join(', ')},
    posthorn_sum_counts(latency::bigint[])::float8[] AS latency
  FROM delivery_stats ${where}
  GROUP BY 1, 2
) AS bucket ${tail}
`;
