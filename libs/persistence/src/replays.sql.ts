export const insertReplay = /* sql */ `
INSERT INTO replays (
  id, tenant_id, source, state, endpoint_ids, event_types, filter, selection, rate_limit, new_ids, as_configured,
  window_asked, gap, description, revision, created_at, updated_at
) VALUES ($1, $2, $3, 'running', $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 1, $14, $14)
`;

export const insertReplayPartitions = /* sql */ `
INSERT INTO replay_partitions (
  replay_id, partition, owned_by, incarnation, from_offset, to_offset, position, updated_at
)
SELECT $1, partition, owned_by, incarnation, from_offset, to_offset, from_offset, $2
FROM unnest($3::integer[], $4::integer[], $5::integer[], $6::bigint[], $7::bigint[])
  AS row (partition, owned_by, incarnation, from_offset, to_offset)
`;

/** Times never go backwards, whatever the clocks of several processes say. */
export const updateReplay = /* sql */ `
UPDATE replays SET state = $2, rate_limit = $3, revision = revision + 1, updated_at = GREATEST(updated_at, $4)
WHERE id = $1 RETURNING *
`;

/** All of it was sent, and it is not marked as finished yet. */
export const selectSentReplays = /* sql */ `
SELECT r.id FROM replays r
WHERE r.finished_at IS NULL AND NOT EXISTS (
  SELECT FROM replay_partitions p WHERE p.replay_id = r.id AND NOT p.done
)
`;

export const selectSent = /* sql */ `
SELECT coalesce(sum(sent), 0)::bigint AS sent, max(updated_at) AS last_sent_at FROM replay_partitions WHERE replay_id = $1
`;

/** A delivery of the stream that was tried, and not for the last time. */
export const selectUnsettled = /* sql */ `
SELECT EXISTS (
  SELECT FROM deliveries WHERE stream = $1 AND stream <> 'live' AND status IN ('pending', 'halted')
) AS unsettled
`;

export const finishReplay = /* sql */ `
UPDATE replays SET
  finished_at = GREATEST(updated_at, $2), updated_at = GREATEST(updated_at, $2), revision = revision + 1,
  delivered = $3, failed = $4, dropped = $5
WHERE id = $1
`;

/**
 * Dead letters that the replay has marked, and whose copy was dropped: nothing was done about them after all. The copy's id
 * is made as in `deliveryIdOf`.
 */
export const reopenDropped = /* sql */ `
DELETE FROM dead_letter_resolutions r
USING dead_letters l, replay_partitions p, deliveries copy
WHERE r.replay_id = $1 AND r.state = 'replayed' AND l.delivery_id = r.delivery_id
  AND p.replay_id = $1 AND p.partition = l.log_partition AND copy.status = 'dropped'
  AND copy.delivery_id = concat_ws('.', l.endpoint_id, $1::text, p.incarnation, l.log_partition, l.log_offset)
`;
