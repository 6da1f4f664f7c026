import { Conditions } from './conditions.js';

/** What is left out (or undefined) does not narrow. */
export interface ReplayFilter {
  readonly tenantId?: string | undefined;
  /** As the API tells it: of a replay that runs, `delivering` once all was sent, `completed` once all has its outcome. */
  readonly state?: 'running' | 'paused' | 'cancelled' | 'delivering' | 'completed' | undefined;
  readonly source?: 'events' | 'dead-letters' | undefined;
  /** Those that send to it. */
  readonly endpointId?: string | undefined;
  /** Created at this time or later; Unix ms. */
  readonly from?: number | undefined;
  /** Created before. */
  readonly to?: number | undefined;
}

const someLeft = `EXISTS (SELECT FROM replay_partitions p WHERE p.replay_id = replays.id AND NOT p.done)`;
const conditionOf = {
  cancelled: `state = 'cancelled'`,
  completed: `state <> 'cancelled' AND finished_at IS NOT NULL`,
  paused: `state = 'paused' AND finished_at IS NULL`,
  running: `state = 'running' AND finished_at IS NULL AND ${someLeft}`,
  delivering: `state = 'running' AND finished_at IS NULL AND NOT ${someLeft}`,
} as const;

export function replayConditions({ tenantId, state, source, endpointId, from, to }: ReplayFilter): Conditions {
  const conditions = new Conditions();
  conditions.equal('tenant_id', tenantId);
  conditions.equal('source', source);
  if (state !== undefined) conditions.add(() => conditionOf[state]);
  if (endpointId !== undefined) conditions.add((place) => `endpoint_ids @> ARRAY[${place}::text]`, endpointId);
  if (from !== undefined) conditions.add((place) => `created_at >= ${place}`, new Date(from));
  if (to !== undefined) conditions.add((place) => `created_at < ${place}`, new Date(to));
  return conditions;
}
