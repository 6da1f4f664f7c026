import type { RateLimit, ReplayState } from '#libs/contracts';
import { columns } from './columns.js';
import { decodeCursor, toPage } from './cursor.js';
import type { Database, Session } from './database.js';
import { tenantEntity } from './entities.js';
import { noteAudit } from './note-audit.js';
import { noteChange } from './note-change.js';
import type { Page, PageRequest } from './page.js';
import { replayConditions, type ReplayFilter } from './replay-filter.js';
import { outcomesOf, replaysOf, type ReplayRow } from './replay-rows.js';
import type { NewReplay, Replay, ReplayChange } from './replay.js';
import {
  finishReplay,
  insertReplay,
  insertReplayPartitions,
  reopenDropped,
  selectSent,
  selectSentReplays,
  selectUnsettled,
  updateReplay,
} from './replays.sql.js';

/**
 * An outcome that has not come so long after all was sent is not waited for: retries last 60 days at most, attempts are
 * kept for 30, so a projection that was rebuilt may lack it for ever.
 */
const longestOutcomeMs = 90 * 86_400_000;

/**
 * Replays, as people ask for and steer them; what dispatchers do with them is `ReplayParts`. Each change, its revision,
 * its outbox row and its audit entry are one transaction that holds the row.
 */
export class Replays {
  constructor(private readonly database: Database) {}

  /** @returns null when the tenant does not exist. The id is new: a repeated one throws. */
  create(replay: NewReplay, now: number): Promise<Replay | null> {
    return this.database.transaction(async (session) => {
      const tenant = await session.findOne(tenantEntity, {
        where: { id: replay.tenantId },
        lock: { mode: 'for_key_share' },
      });
      if (tenant === null) return null;
      await session.query(insertReplay, [
        replay.replayId,
        replay.tenantId,
        replay.source,
        replay.endpointIds,
        replay.eventTypes,
        json(replay.filter),
        json(replay.selection),
        json(replay.rateLimit),
        replay.newIds,
        replay.asConfigured,
        json(replay.window),
        replay.gaps.length === 0 ? null : json(replay.gaps),
        replay.description,
        new Date(now),
      ]);
      const cells = [
        (p: NewReplay['partitions'][number]) => p.partition,
        (p: NewReplay['partitions'][number]) => p.ownedBy,
        (p: NewReplay['partitions'][number]) => p.incarnation,
        (p: NewReplay['partitions'][number]) => p.from,
        (p: NewReplay['partitions'][number]) => p.to,
      ];
      await session.query(insertReplayPartitions, [
        replay.replayId,
        new Date(now),
        ...columns(replay.partitions, cells),
      ]);
      await noteChange(session, replay.replayId, now);
      const row = await findReplay(session, replay.replayId);
      const created = row && only(await replaysOf(session, [row], now));
      await noteAudit(session, { ...noteOf(replay, now), action: 'replay.created', before: null, after: replay });
      return created;
    });
  }

  async get(replayId: string, now: number): Promise<Replay | null> {
    const { session } = this.database;
    const row = await findReplay(session, replayId);
    return row && only(await replaysOf(session, [row], now));
  }

  /** Newest first. @throws InvalidCursor */
  async list({ limit, cursor, ...filter }: PageRequest & ReplayFilter, now: number): Promise<Page<Replay>> {
    const { session } = this.database;
    const conditions = replayConditions(filter);
    if (cursor !== undefined) {
      const { at, id } = decodeCursor(cursor);
      conditions.add((places) => `(created_at, id) < (${places})`, new Date(at), id);
    }
    const rows: ReplayRow[] = await session.query(
      `SELECT * FROM replays ${conditions.where()}
       ORDER BY created_at DESC, id DESC LIMIT ${conditions.value(limit + 1)}`,
      conditions.parameters,
    );
    const { data, nextCursor } = toPage(rows, limit, (row) => ({ at: row.created_at.getTime(), id: row.id }));
    return { data: await replaysOf(session, data, now), nextCursor };
  }

  pause(replayId: string, now: number): Promise<ReplayChange> {
    return this.#change(replayId, now, () => ({ state: 'paused' }));
  }

  resume(replayId: string, now: number): Promise<ReplayChange> {
    return this.#change(replayId, now, () => ({ state: 'running' }));
  }

  /** For good: what is not sent stays unsent, and workers drop what is on its way to them. */
  cancel(replayId: string, now: number): Promise<ReplayChange> {
    return this.#change(replayId, now, () => ({ state: 'cancelled' }));
  }

  /** @param rateLimit makes the new one out of that which it has; `isExpected` is asked with the row locked */
  setRate(
    replayId: string,
    rateLimit: (before: RateLimit | null) => RateLimit | null,
    now: number,
    isExpected?: (replay: Replay) => boolean,
  ): Promise<ReplayChange> {
    return this.#change(replayId, now, (row) => ({ rateLimit: rateLimit(row.rate_limit) }), isExpected);
  }

  /**
   * Marks those as finished of which all was sent and every delivery has its final outcome, so that their records are
   * published as tombstones; dead letters whose copy was dropped are open again. Any number of processes may do it.
   * @returns how many it has marked
   */
  async finishEnded(now: number): Promise<number> {
    const candidates: { id: string }[] = await this.database.session.query(selectSentReplays);
    let finished = 0;
    for (const { id } of candidates) {
      if (await this.database.transaction((session) => finishIfEnded(session, id, now))) finished += 1;
    }
    return finished;
  }

  #change(
    replayId: string,
    now: number,
    change: (row: ReplayRow) => { readonly state?: ReplayState; readonly rateLimit?: RateLimit | null },
    isExpected: (replay: Replay) => boolean = () => true,
  ): Promise<ReplayChange> {
    return this.database.transaction(async (session): Promise<ReplayChange> => {
      const row = await findReplay(session, replayId, 'FOR UPDATE');
      if (row === null) return { outcome: 'not-found' };
      const [before] = await replaysOf(session, [row], now);
      if (!isExpected(only([before]))) return { outcome: 'unexpected', replay: only([before]) };
      const wanted = { state: row.state, rateLimit: row.rate_limit, ...change(row) };
      const same = wanted.state === row.state && isSameRate(wanted.rateLimit, row.rate_limit);
      // A repeated cancellation is no fault.
      if (row.finished_at !== null || (row.state === 'cancelled' && !same))
        return { outcome: 'ended', replay: only([before]) };
      if (same) return { outcome: 'unchanged', replay: only([before]) };
      const values = [replayId, wanted.state, json(wanted.rateLimit), new Date(now)];
      const [rows]: [ReplayRow[], number] = await session.query(updateReplay, values);
      await noteChange(session, replayId, now);
      const replay = only(await replaysOf(session, rows, now));
      const { state, rateLimit } = only([before]);
      const note = { before: { state, rateLimit }, after: wanted };
      await noteAudit(session, { ...noteOf(replay, now), action: actionOf(state, wanted.state), ...note });
      return { outcome: 'changed', replay };
    });
  }
}

/** As committed last. */
export async function findReplay(session: Session, replayId: string, lock = ''): Promise<ReplayRow | null> {
  const [row]: ReplayRow[] = await session.query(`SELECT * FROM replays WHERE id = $1 ${lock}`, [replayId]);
  return row ?? null;
}

async function finishIfEnded(session: Session, replayId: string, now: number): Promise<boolean> {
  // Whoever else has it locked changes or finishes it: there is a next time.
  const row = await findReplay(session, replayId, 'FOR UPDATE SKIP LOCKED');
  if (row === null || row.finished_at !== null) return false;
  const [parts]: { sent: string; last_sent_at: Date | null }[] = await session.query(selectSent, [replayId]);
  const [unsettled]: { unsettled: boolean }[] = await session.query(selectUnsettled, [replayId]);
  const outcomes = (await outcomesOf(session, [replayId], now)).get(replayId);
  const { delivered = 0, failed = 0, dropped = 0 } = outcomes ?? {};
  const settled = unsettled?.unsettled !== true && delivered + failed + dropped >= Number(parts?.sent ?? 0);
  // What a paused one has sent waits at the worker for as long as it is paused.
  const isLate = row.state !== 'paused' && now - (parts?.last_sent_at?.getTime() ?? now) > longestOutcomeMs;
  if (!settled && !isLate) return false;
  if (row.source === 'dead-letters' && dropped > 0) await session.query(reopenDropped, [replayId]);
  await session.query(finishReplay, [replayId, new Date(now), delivered, failed, dropped]);
  await noteChange(session, replayId, now);
  return true;
}

const noteOf = ({ tenantId, replayId }: Pick<Replay, 'tenantId' | 'replayId'>, at: number) => {
  return { tenantId, at, resource: `replay/${replayId}` };
};

function actionOf(before: ReplayState, after: ReplayState): string {
  if (before === after) return 'replay.updated';
  return after === 'running' ? 'replay.resumed' : `replay.${after}`;
}

function only(replays: readonly (Replay | undefined)[]): Replay {
  const [replay] = replays;
  if (replay === undefined) throw new Error('a replay has no row');
  return replay;
}

const isSameRate = (a: RateLimit | null, b: RateLimit | null): boolean =>
  a?.limit === b?.limit && a?.per === b?.per && a?.burst === b?.burst;
const json = (value: unknown): string | null => (value === null || value === undefined ? null : JSON.stringify(value));
