/** The first dead letter of a delivery stands; a crash may have appended another one. */
export const insertDeadLetters = /* sql */ `
INSERT INTO dead_letters (
  delivery_id, tenant_id, endpoint_id, reason, given_up_at, last_status, last_error, log_partition, log_offset, logged_at,
  accepted_at
)
SELECT
  delivery_id, tenant_id, endpoint_id, reason, to_timestamp(given_up_at / 1000.0), last_status, last_error,
  log_partition, log_offset, to_timestamp(logged_at / 1000.0), to_timestamp(accepted_at / 1000.0)
FROM unnest(
  $1::text[], $2::text[], $3::text[], $4::text[], $5::float8[], $6::integer[], $7::text[], $8::integer[], $9::bigint[],
  $10::float8[], $11::float8[]
) AS row (
  delivery_id, tenant_id, endpoint_id, reason, given_up_at, last_status, last_error, log_partition, log_offset, logged_at,
  accepted_at
)
ON CONFLICT DO NOTHING
`;
