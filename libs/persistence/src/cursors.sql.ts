/** The row is held until the transaction ends: who takes over waits for a write under way, and writes wait for it. */
export const raiseEpoch = /* sql */ `
INSERT INTO source_partitions AS s (partition, epoch) VALUES ($1, 1)
ON CONFLICT (partition) DO UPDATE SET epoch = s.epoch + 1
RETURNING epoch
`;

export const lockEpoch = /* sql */ `
SELECT epoch FROM source_partitions WHERE partition = $1 FOR UPDATE
`;

export const selectOfPartition = /* sql */ `
SELECT * FROM cursors WHERE source_partition = $1 ORDER BY endpoint_id, created_at, run
`;

/** $1: source partitions. Held, so that a catch-up under way does not move what is about to be replaced. */
export const lockInForce = /* sql */ `
SELECT * FROM cursors WHERE source_partition = ANY($1::integer[]) AND NOT ended
ORDER BY source_partition, endpoint_id FOR UPDATE
`;

export const selectInForce = /* sql */ `
SELECT * FROM cursors WHERE NOT ended ORDER BY source_partition, endpoint_id
`;

export const selectOfEndpoint = /* sql */ `
SELECT * FROM cursors WHERE endpoint_id = $1 AND NOT ended ORDER BY source_partition
`;

export const selectOne = /* sql */ `
SELECT * FROM cursors WHERE source_partition = $1 AND endpoint_id = $2 AND NOT ended
`;

/**
 * $1: source partition, $2: now. A run that is there stays as it is; that another one is in force violates the index
 * cursors_in_force.
 */
export const insertFreezes = /* sql */ `
INSERT INTO cursors (
  endpoint_id, source_partition, run, kind, reason, incarnation, started_at, position, created_at, updated_at
)
SELECT endpoint_id, $1::integer, run, 'freeze', reason, incarnation, position, position, $2::timestamptz, $2
FROM unnest($3::text[], $4::text[], $5::text[], $6::integer[], $7::bigint[])
  AS row (endpoint_id, run, reason, incarnation, position)
ON CONFLICT (endpoint_id, source_partition, run) DO NOTHING
`;

/** $1: endpoint, $2: run, $3: now. */
export const insertBackfill = /* sql */ `
INSERT INTO cursors (
  endpoint_id, source_partition, run, kind, reason, incarnation, started_at, position, created_at, updated_at
)
SELECT $1::text, source_partition, $2::text, 'backfill', 'backfill', incarnation, position, position, $3::timestamptz, $3
FROM unnest($4::integer[], $5::integer[], $6::bigint[]) AS row (source_partition, incarnation, position)
`;

export const moveForward = /* sql */ `
UPDATE cursors AS c SET position = row.position, updated_at = $2
FROM unnest($3::text[], $4::text[], $5::bigint[]) AS row (endpoint_id, run, position)
WHERE c.source_partition = $1 AND c.endpoint_id = row.endpoint_id AND c.run = row.run
  AND NOT c.ended AND c.position < row.position
`;

export const endRuns = /* sql */ `
UPDATE cursors AS c SET ended = true, updated_at = $2
FROM unnest($3::text[], $4::text[]) AS row (endpoint_id, run)
WHERE c.source_partition = $1 AND c.endpoint_id = row.endpoint_id AND c.run = row.run AND NOT c.ended
`;

export const forgetRuns = /* sql */ `
DELETE FROM cursors AS c
USING unnest($2::text[], $3::text[]) AS row (endpoint_id, run)
WHERE c.source_partition = $1 AND c.endpoint_id = row.endpoint_id AND c.run = row.run AND c.ended
`;

/** $1: now. Another log's offsets: where it began means nothing any more. */
export const relocateCursors = /* sql */ `
UPDATE cursors AS c
SET run = row.new_run, incarnation = row.incarnation, position = row.position, started_at = row.position, updated_at = $1
FROM unnest($2::text[], $3::integer[], $4::text[], $5::text[], $6::integer[], $7::bigint[])
  AS row (endpoint_id, source_partition, run, new_run, incarnation, position)
WHERE c.endpoint_id = row.endpoint_id AND c.source_partition = row.source_partition AND c.run = row.run AND NOT c.ended
`;
