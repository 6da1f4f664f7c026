/** Stores records of the attempts topic; one that is there already is left alone. */
export const insertAttempts = /* sql */ `
INSERT INTO attempts (
  log_partition, log_offset, logged_at, delivery_id, number, config_version, started_at, duration_ms, url,
  request_headers, response_status, response_headers, response_body, response_truncated, error_kind, error_message,
  outcome, final, dead_letter_reason, due_at, worker_id, batch_id, batch_size, batch_place
)
SELECT
  log_partition, log_offset, to_timestamp(logged_at / 1000.0), delivery_id, number, config_version,
  to_timestamp(started_at / 1000.0), duration_ms, url, request_headers, response_status, response_headers,
  response_body, response_truncated, error_kind, error_message, outcome, final, dead_letter_reason,
  to_timestamp(due_at / 1000.0), worker_id, batch_id, batch_size, batch_place
FROM unnest(
  $1::integer[], $2::bigint[], $3::float8[], $4::text[], $5::integer[], $6::bigint[], $7::float8[], $8::integer[],
  $9::text[], $10::json[], $11::integer[], $12::json[], $13::bytea[], $14::boolean[], $15::text[], $16::text[],
  $17::text[], $18::boolean[], $19::text[], $20::float8[], $21::text[],
  $22::text[], $23::integer[], $24::integer[]
) AS row (
  log_partition, log_offset, logged_at, delivery_id, number, config_version, started_at, duration_ms, url,
  request_headers, response_status, response_headers, response_body, response_truncated, error_kind, error_message,
  outcome, final, dead_letter_reason, due_at, worker_id, batch_id, batch_size, batch_place
)
ON CONFLICT DO NOTHING
`;

export const selectAttempts = /* sql */ `
SELECT * FROM attempts WHERE delivery_id = $1 ORDER BY log_partition, log_offset
`;

/** $2, $3: the place behind which to begin. */
export const selectAttemptsAfter = /* sql */ `
SELECT * FROM attempts WHERE delivery_id = $1 AND (log_partition, log_offset) > ($2::integer, $3::bigint)
ORDER BY log_partition, log_offset LIMIT $4
`;
