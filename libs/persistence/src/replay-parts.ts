import type { ReplayState } from '#libs/contracts';
import type { Database } from './database.js';
import { deadLetterConditions, deadLetters } from './dead-letter-filter.js';
import { findReplay } from './replays.js';
import {
  checkpointPartition,
  markReplayed,
  selectEpoch,
  selectPastSubscriptions,
  selectParts,
} from './replay-parts.sql.js';
import type { DeadLetterSelection, ReplayPartition } from './replay.js';

/** One partition of a replay's source that is not done, with what is asked of it. */
export interface ReplayPart extends Omit<ReplayPartition, 'done'> {
  /** `replay:<uuid>`, the stream of its deliveries. */
  readonly replayId: string;
  readonly tenantId: string;
  readonly source: 'events' | 'dead-letters';
  readonly state: ReplayState;
  readonly endpointIds: readonly string[];
  /** Patterns; null: whatever the endpoint wants. */
  readonly eventTypes: readonly string[] | null;
  /** As `parseAttributeFilter` takes it, which found no fault; null: none. */
  readonly filter: unknown;
  readonly selection: DeadLetterSelection | null;
  readonly newIds: boolean;
  readonly asConfigured: 'now' | 'then';
}

export interface ReplayCheckpoint {
  readonly replayId: string;
  readonly partition: number;
  readonly position: number;
  /** From the replay's begin in this partition. */
  readonly scanned: number;
  readonly matched: number;
  readonly sent: number;
  /** The end record of its space stands in the log. */
  readonly done: boolean;
  /** Dead letters that were sent since the last checkpoint: they count as replayed by it. */
  readonly replayed: readonly string[];
}

/** What was wanted of an endpoint's events from a time on. */
export interface PastSubscription {
  readonly endpointId: string;
  /** Unix ms. */
  readonly since: number;
  /** Null: it was not active, or deleted. */
  readonly eventTypes: readonly string[] | null;
}

interface PartRow {
  replay_id: string;
  tenant_id: string;
  source: ReplayPart['source'];
  state: ReplayState;
  endpoint_ids: string[];
  event_types: string[] | null;
  filter: unknown;
  selection: DeadLetterSelection | null;
  new_ids: boolean;
  as_configured: ReplayPart['asConfigured'];
  incarnation: number;
  partition: number;
  from_offset: string;
  to_offset: string;
  position: string;
  scanned: string;
  matched: string;
  sent: string;
}

/** Replays as dispatchers work on them, each on the partitions of sources that are its own. */
export class ReplayParts {
  constructor(
    private readonly database: Database,
    private readonly now: () => number = Date.now,
  ) {}

  /** What is not done of what the owner of `events`-`ownedBy` moves, oldest replay first; of one replay, if it is named. */
  async parts(ownedBy: number, replayId?: string): Promise<readonly ReplayPart[]> {
    const rows: PartRow[] = await this.database.session.query(selectParts, [ownedBy, replayId ?? null]);
    return rows.map(partOf);
  }

  /**
   * One transaction under the epoch of `events`-`ownedBy`. Written twice it is as if written once, and an earlier one that
   * comes late changes nothing.
   * @returns false when another owner has raised the epoch: nothing was changed
   */
  checkpoint(ownedBy: number, epoch: number, at: ReplayCheckpoint): Promise<boolean> {
    return this.database.transaction(async (session) => {
      const [own]: { epoch: string }[] = await session.query(selectEpoch, [ownedBy]);
      if (own === undefined || Number(own.epoch) !== epoch) return false;
      const now = new Date(this.now());
      const { replayId, partition, position, scanned, matched, sent, done, replayed } = at;
      await session.query(checkpointPartition, [
        replayId,
        partition,
        ownedBy,
        position,
        scanned,
        matched,
        sent,
        done,
        now,
      ]);
      if (replayed.length > 0) await session.query(markReplayed, [replayed, replayId, now]);
      return true;
    });
  }

  /**
   * Those of these dead letters that the replay may send: the projection knows the final Attempt that names them, they fit
   * what was asked for, and nothing was done about them yet - also not by this replay, which sends each of them once.
   */
  async openDeadLetters(replayId: string, deliveryIds: readonly string[]): Promise<ReadonlySet<string>> {
    const { session } = this.database;
    const replay = deliveryIds.length === 0 ? null : await findReplay(session, replayId);
    if (replay === null) return new Set();
    const { since: from, until: to, error, reasons, deliveryIds: chosen } = replay.selection ?? {};
    const eventTypes = replay.event_types ?? undefined;
    const wanted = { endpointIds: replay.endpoint_ids, eventTypes, reasons, error, from, to };
    const conditions = deadLetterConditions({ ...wanted, deliveryIds, state: 'open' });
    conditions.oneOf('d.delivery_id', chosen);
    const rows: { delivery_id: string }[] = await session.query(
      `SELECT d.delivery_id FROM ${deadLetters} ${conditions.where()}`,
      conditions.parameters,
    );
    return new Set(rows.map(({ delivery_id: id }) => id));
  }

  /** Configurations of those endpoints over time, by endpoint and then by time. */
  async pastSubscriptions(endpointIds: readonly string[]): Promise<readonly PastSubscription[]> {
    const rows: { endpoint_id: string; changed_at: Date; event_types: string[] | null }[] =
      await this.database.session.query(selectPastSubscriptions, [endpointIds]);
    return rows.map(({ endpoint_id: endpointId, changed_at: since, event_types: eventTypes }) => ({
      endpointId,
      since: since.getTime(),
      eventTypes,
    }));
  }
}

const partOf = (row: PartRow): ReplayPart => ({
  replayId: row.replay_id,
  tenantId: row.tenant_id,
  source: row.source,
  state: row.state,
  endpointIds: row.endpoint_ids,
  eventTypes: row.event_types,
  filter: row.filter,
  selection: row.selection,
  newIds: row.new_ids,
  asConfigured: row.as_configured,
  incarnation: row.incarnation,
  partition: row.partition,
  from: Number(row.from_offset),
  to: Number(row.to_offset),
  position: Number(row.position),
  scanned: Number(row.scanned),
  matched: Number(row.matched),
  sent: Number(row.sent),
});
