export const selectParts = /* sql */ `
SELECT
  p.replay_id, r.tenant_id, r.source, r.state, r.endpoint_ids, r.event_types, r.filter, r.selection, r.new_ids,
  r.as_configured, p.incarnation, p.partition, p.from_offset, p.to_offset, p.position, p.scanned, p.matched, p.sent
FROM replay_partitions p JOIN replays r ON r.id = p.replay_id
WHERE p.owned_by = $1 AND NOT p.done AND ($2::text IS NULL OR p.replay_id = $2)
ORDER BY r.created_at, p.replay_id, p.partition
`;

/** Held until the commit: who takes the partition over waits for it, and what comes after that sees the new epoch. */
export const selectEpoch = 'SELECT epoch FROM source_partitions WHERE partition = $1 FOR UPDATE';

export const checkpointPartition = /* sql */ `
UPDATE replay_partitions SET position = $4, scanned = $5, matched = $6, sent = $7, done = $8, updated_at = GREATEST(updated_at, $9)
WHERE replay_id = $1 AND partition = $2 AND owned_by = $3 AND position <= $4 AND (NOT done OR $8)
`;

/** What somebody discarded in that moment stays discarded. */
export const markReplayed = /* sql */ `
INSERT INTO dead_letter_resolutions (delivery_id, state, replay_id, actor, decided_at)
SELECT given.id, 'replayed', $2, (SELECT actor FROM replays WHERE id = $2), $3
FROM unnest($1::text[]) AS given (id)
ON CONFLICT DO NOTHING
`;

export const selectPastSubscriptions = /* sql */ `
SELECT endpoint_id, changed_at, CASE WHEN change <> 'deleted' AND config->>'state' = 'active' THEN
  ARRAY(SELECT jsonb_array_elements_text(config->'eventTypes')) END AS event_types
FROM endpoint_versions WHERE endpoint_id = ANY($1)
ORDER BY endpoint_id, revision
`;
