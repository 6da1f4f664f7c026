/**
 * Whether what a batch found out about a delivery takes the place of what the row says. The first final outcome stands,
 * except that a success counts whenever it comes. Must say the same as `supersedes` in the projector's fold: then rows do
 * not depend on where batches are cut.
 */
const supersedes = `(d.status IN ('pending', 'halted') OR (EXCLUDED.status = 'delivered' AND d.status <> 'delivered'))`;
const outcome = [
  'status',
  'completed_at',
  'next_attempt_at',
  'halted_at',
  'last_status',
  'last_error_kind',
  'last_error_message',
  'dead_letter_reason',
];

/** Adds a batch's fold of each delivery to its row. */
export const upsertDeliveries = /* sql */ `
INSERT INTO deliveries AS d (
  delivery_id, webhook_id, tenant_id, endpoint_id, stream, event_id, event_source, event_type, status, attempts,
  accepted_at, dispatched_at, first_attempt_at, last_attempt_at, completed_at, next_attempt_at, last_status,
  last_error_kind, last_error_message, dead_letter_reason, ordering_key, halted_at
)
SELECT
  delivery_id, webhook_id, tenant_id, endpoint_id, stream, event_id, event_source, event_type, status, attempts,
  to_timestamp(accepted_at / 1000.0), to_timestamp(dispatched_at / 1000.0), to_timestamp(first_attempt_at / 1000.0),
  to_timestamp(last_attempt_at / 1000.0), to_timestamp(completed_at / 1000.0), to_timestamp(next_attempt_at / 1000.0),
  last_status, last_error_kind, last_error_message, dead_letter_reason, ordering_key,
  to_timestamp(halted_at / 1000.0)
FROM unnest(
  $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
  $10::integer[], $11::float8[], $12::float8[], $13::float8[], $14::float8[], $15::float8[], $16::float8[],
  $17::integer[], $18::text[], $19::text[], $20::text[], $21::text[], $22::float8[]
) AS row (
  delivery_id, webhook_id, tenant_id, endpoint_id, stream, event_id, event_source, event_type, status, attempts,
  accepted_at, dispatched_at, first_attempt_at, last_attempt_at, completed_at, next_attempt_at, last_status,
  last_error_kind, last_error_message, dead_letter_reason, ordering_key, halted_at
)
ON CONFLICT (delivery_id, accepted_at) DO UPDATE SET
  attempts = GREATEST(d.attempts, EXCLUDED.attempts),
  first_attempt_at = LEAST(d.first_attempt_at, EXCLUDED.first_attempt_at),
  last_attempt_at = GREATEST(d.last_attempt_at, EXCLUDED.last_attempt_at),
  ordering_key = COALESCE(EXCLUDED.ordering_key, d.ordering_key),
  ${outcome.map((column) => `${column} = CASE WHEN ${supersedes} THEN EXCLUDED.${column} ELSE d.${column} END`).join(',\n  ')}
`;

/** Tests are in the log for whoever looks for one; they count nowhere. */
export const selectEndpointStats = /* sql */ `
SELECT
  endpoint_id,
  count(*)::integer AS matched,
  (count(*) FILTER (WHERE status = 'delivered'))::integer AS delivered,
  (count(*) FILTER (WHERE attempts > 1))::integer AS retried,
  (count(*) FILTER (WHERE status = 'dead-lettered'))::integer AS dead_lettered,
  (count(*) FILTER (WHERE status = 'dropped'))::integer AS dropped,
  (count(*) FILTER (WHERE status = 'pending'))::integer AS pending,
  (count(*) FILTER (WHERE status = 'halted'))::integer AS halted,
  percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY extract(epoch FROM completed_at - accepted_at) * 1000.0)
    FILTER (WHERE status = 'delivered') AS latency
FROM deliveries
WHERE ($1::text IS NULL OR tenant_id = $1) AND NOT starts_with(stream, 'test:')
GROUP BY endpoint_id
ORDER BY endpoint_id
`;
