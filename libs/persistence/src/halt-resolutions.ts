import type { HaltAction, HaltResolution } from '#libs/contracts';
import type { Session } from './database.js';

const keptMs = 7 * 86_400_000;
const keptCount = 1_000;

/** What workers are told: a worker that is away for longer leaves the key halted, and it can be decided again. */
const selectResolutions = /* sql */ `
SELECT r.delivery_id, r.action, r.decided_at FROM halt_resolutions r LEFT JOIN deliveries d USING (delivery_id)
WHERE r.endpoint_id = $1 AND r.decided_at > $2
  AND coalesce(d.status, 'halted') NOT IN ('delivered', 'dead-lettered', 'dropped')
ORDER BY r.decided_at DESC, r.delivery_id LIMIT ${keptCount}
`;
const upsertResolution = /* sql */ `
INSERT INTO halt_resolutions (endpoint_id, delivery_id, action, decided_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (endpoint_id, delivery_id) DO UPDATE SET action = EXCLUDED.action, decided_at = EXCLUDED.decided_at
`;
const pruneResolutions = /* sql */ `
DELETE FROM halt_resolutions WHERE endpoint_id = $1 AND (decided_at <= $2 OR delivery_id IN (
  SELECT delivery_id FROM halt_resolutions WHERE endpoint_id = $1
  ORDER BY decided_at DESC, delivery_id OFFSET ${keptCount}
))
`;

/**
 * What was decided of an endpoint's halted deliveries and may still have to be done: the newest first, at most 1,000, none
 * older than 7 days, none of a delivery with a final outcome.
 */
export async function resolutionsOf(
  session: Session,
  endpointId: string,
  now: number,
): Promise<readonly HaltResolution[]> {
  const rows: { delivery_id: string; action: HaltAction; decided_at: Date }[] = await session.query(selectResolutions, [
    endpointId,
    new Date(now - keptMs),
  ]);
  return rows.map((row) => ({ deliveryId: row.delivery_id, action: row.action, at: row.decided_at.getTime() }));
}

/** One for each delivery: the last one counts. Call it with the endpoint's row locked. */
export async function storeResolution(
  session: Session,
  endpointId: string,
  { deliveryId, action, at }: HaltResolution,
): Promise<void> {
  await session.query(upsertResolution, [endpointId, deliveryId, action, new Date(at)]);
  await session.query(pruneResolutions, [endpointId, new Date(at - keptMs)]);
}
