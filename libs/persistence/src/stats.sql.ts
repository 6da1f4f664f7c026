/** How deliveries stand that a batch may end. $1: their ids. $2, $3: when the first and the last was accepted, so that few parts are looked into. */
export const selectEnds = /* sql */ `
SELECT delivery_id, status FROM deliveries
WHERE delivery_id = ANY($1::text[]) AND accepted_at BETWEEN $2 AND $3 AND status IN ('delivered', 'dead-lettered', 'dropped')
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
