import type { RateLimit, ReplayConfig, ReplayState } from '#libs/contracts';
import type { Session } from './database.js';
import type {
  DeadLetterSelection,
  Replay,
  ReplayGap,
  ReplayOutcomes,
  ReplayPartition,
  ReplayWindow,
} from './replay.js';

/** A row of `replays`. */
export interface ReplayRow {
  id: string;
  tenant_id: string;
  source: 'events' | 'dead-letters';
  state: ReplayState;
  endpoint_ids: string[];
  event_types: string[] | null;
  filter: unknown;
  selection: DeadLetterSelection | null;
  rate_limit: RateLimit | null;
  new_ids: boolean;
  as_configured: 'now' | 'then';
  window_asked: ReplayWindow;
  gap: ReplayGap[] | null;
  description: string;
  revision: number;
  created_at: Date;
  updated_at: Date;
  finished_at: Date | null;
  delivered: string | null;
  failed: string | null;
  dropped: string | null;
}

interface PartitionRow {
  replay_id: string;
  partition: number;
  incarnation: number;
  from_offset: string;
  to_offset: string;
  position: string;
  scanned: string;
  matched: string;
  sent: string;
  done: boolean;
}

interface OutcomesRow {
  stream: string;
  delivered: number;
  failed: number;
  dropped: number;
  recent: number;
}

const selectPartitions = 'SELECT * FROM replay_partitions WHERE replay_id = ANY($1) ORDER BY replay_id, partition';

// Names the condition of the index deliveries_replayed, without which the planner does not take it.
const selectOutcomes = /* sql */ `
SELECT
  stream,
  (count(*) FILTER (WHERE status = 'delivered'))::integer AS delivered,
  (count(*) FILTER (WHERE status = 'dead-lettered'))::integer AS failed,
  (count(*) FILTER (WHERE status = 'dropped'))::integer AS dropped,
  (count(*) FILTER (WHERE completed_at > $2))::integer AS recent
FROM deliveries
WHERE stream = ANY($1) AND stream <> 'live' AND status IN ('delivered', 'dead-lettered', 'dropped')
GROUP BY stream
`;

const recentMs = 60_000;
const none: ReplayOutcomes = { delivered: 0, failed: 0, dropped: 0, recent: 0 };

/** With their partitions and how their deliveries have ended, in the given order. @param now Unix ms */
export async function replaysOf(session: Session, rows: readonly ReplayRow[], now: number): Promise<Replay[]> {
  if (rows.length === 0) return [];
  const partitions: PartitionRow[] = await session.query(selectPartitions, [rows.map(({ id }) => id)]);
  const byReplay = Map.groupBy(partitions, ({ replay_id: id }) => id);
  const outcomes = await outcomesOf(
    session,
    rows.flatMap((row) => (row.finished_at === null ? [row.id] : [])),
    now,
  );
  return rows.map((row) => replayOf(row, byReplay.get(row.id) ?? [], finalOf(row) ?? outcomes.get(row.id) ?? none));
}

/** Of those that have any. Counts what the projection holds: not for every moment. */
export async function outcomesOf(
  session: Session,
  replayIds: readonly string[],
  now: number,
): Promise<ReadonlyMap<string, ReplayOutcomes>> {
  if (replayIds.length === 0) return new Map();
  const rows: OutcomesRow[] = await session.query(selectOutcomes, [replayIds, new Date(now - recentMs)]);
  return new Map(rows.map(({ stream, ...counts }) => [stream, counts]));
}

/** What stands in the endpoints topic; null, a tombstone, once it has ended. */
export function configOf(row: ReplayRow): ReplayConfig | null {
  if (row.finished_at !== null) return null;
  return {
    replayId: row.id,
    tenantId: row.tenant_id,
    state: row.state,
    rateLimit: row.rate_limit,
    revision: row.revision,
    updatedAt: row.updated_at.getTime(),
  };
}

function finalOf({ finished_at: at, delivered, failed, dropped }: ReplayRow): ReplayOutcomes | null {
  if (at === null) return null;
  return { delivered: Number(delivered), failed: Number(failed), dropped: Number(dropped), recent: 0 };
}

const replayOf = (row: ReplayRow, partitions: readonly PartitionRow[], outcomes: ReplayOutcomes): Replay => ({
  replayId: row.id,
  tenantId: row.tenant_id,
  source: row.source,
  state: row.state,
  endpointIds: row.endpoint_ids,
  eventTypes: row.event_types,
  filter: row.filter,
  selection: row.selection,
  rateLimit: row.rate_limit,
  newIds: row.new_ids,
  asConfigured: row.as_configured,
  window: row.window_asked,
  gaps: row.gap ?? [],
  description: row.description,
  revision: row.revision,
  createdAt: row.created_at.getTime(),
  updatedAt: row.updated_at.getTime(),
  finishedAt: row.finished_at?.getTime() ?? null,
  partitions: partitions.map(partitionOf),
  outcomes,
});

const partitionOf = (row: PartitionRow): ReplayPartition => ({
  partition: row.partition,
  incarnation: row.incarnation,
  from: Number(row.from_offset),
  to: Number(row.to_offset),
  position: Number(row.position),
  scanned: Number(row.scanned),
  matched: Number(row.matched),
  sent: Number(row.sent),
  done: row.done,
});
