import { In } from 'typeorm';
import type { HaltResolution } from '#libs/contracts';
import { inForce, unverified, verificationAfter, type EndpointVerification, type VerificationMethod } from '#libs/core';
import { columns } from './columns.js';
import { decodeCursor, toPage } from './cursor.js';
import { insertBackfill } from './cursors.sql.js';
import type { Database, Session } from './database.js';
import { narrowEndpoints, type EndpointFilter } from './endpoint-filter.js';
import { noEndpointCredentials, type Endpoint } from './endpoint.js';
import { endpointOf, rowOf } from './endpoint-rows.js';
import { noteVersion } from './endpoint-version.js';
import { noteAudit } from './note-audit.js';
import { endpointEntity, endpointSecretEntity, tenantEntity, type EndpointRow } from './entities.js';
import { noteChange } from './note-change.js';
import { keepRound } from './verification-rounds.js';
import type { Page, PageRequest } from './page.js';

type Credentials = typeof noEndpointCredentials;
type Begun = 'revision' | 'updatedAt' | 'createdAt' | 'disabledReason' | 'backfill' | 'verification';

/** Without credentials unless they are named. */
export type NewEndpoint = Omit<Endpoint, Begun | keyof Credentials> &
  Partial<Credentials> & {
    /** How it is to show that it wants what is sent to it. Null or left out: it need not. */
    readonly verification?: VerificationMethod | null;
  };

/** Where an endpoint begins that is to have history: in every source partition. */
export interface NewBackfill {
  /** Dedupe space of its first catch-up. */
  readonly run: string;
  readonly cursors: readonly { readonly partition: number; readonly incarnation: number; readonly position: number }[];
}

/** What is left out (or undefined) stays. `secrets` replaces all of them; expired ones go with any change. */
export type EndpointChanges = {
  readonly [K in Exclude<keyof NewEndpoint, 'endpointId' | 'tenantId'>]?: NewEndpoint[K] | undefined;
};

export type UpdateResult =
  | { readonly outcome: 'updated'; readonly endpoint: Endpoint }
  | { readonly outcome: 'not-found' }
  /** Somebody else changed it: it is at `revision` now, not at the one that was expected. */
  | { readonly outcome: 'conflict'; readonly revision: number };

export type DeleteResult =
  | { readonly outcome: 'deleted' }
  | { readonly outcome: 'not-found' }
  /** As it is instead. */
  | { readonly outcome: 'unexpected'; readonly endpoint: Endpoint };

/**
 * Endpoints. Each change, its version in the history, its audit entry and its outbox row are one transaction that holds the endpoint's row
 * from before its outbox row gets an id until the commit, so per endpoint the ids of outbox rows follow the order of the
 * commits, and revisions have no gap.
 */
export class EndpointRepository {
  constructor(private readonly database: Database) {}

  /**
   * With its first cursors, if it is to have history: they are there before anybody knows it.
   * @returns null when the tenant does not exist. The id is new: a repeated one throws.
   */
  create(endpoint: NewEndpoint, now: number, backfill?: NewBackfill): Promise<Endpoint | null> {
    return this.database.transaction(async (session) => {
      const tenant = await session.findOne(tenantEntity, {
        where: { id: endpoint.tenantId },
        lock: { mode: 'for_key_share' },
      });
      if (tenant === null) return null;
      const begun = { disabledReason: null, revision: 1, createdAt: now, updatedAt: now };
      const { verification: method = null } = endpoint;
      const created: Endpoint = {
        ...noEndpointCredentials,
        ...endpoint,
        ...begun,
        backfill: backfill?.run ?? null,
        verification: method && unverified(method, begun.revision, now),
      };
      await session.insert(endpointEntity, rowOf(created));
      if (backfill !== undefined) {
        const cells = columns(backfill.cursors, [(c) => c.partition, (c) => c.incarnation, (c) => c.position]);
        await session.query(insertBackfill, [created.endpointId, backfill.run, new Date(now), ...cells]);
      }
      await storeSecrets(session, created);
      await keepRound(session, null, created);
      await noteChange(session, created.endpointId, now);
      await noteVersion(session, { before: null, endpoint: created, change: 'created', at: now });
      return created;
    });
  }

  get(endpointId: string): Promise<Endpoint | null> {
    return findEndpoint(this.database.session, endpointId);
  }

  /** Oldest first. @throws InvalidCursor */
  async list({ limit, cursor, ...filter }: PageRequest & EndpointFilter): Promise<Page<Endpoint>> {
    const query = this.database.session
      .createQueryBuilder(endpointEntity, 'e')
      .orderBy('e.createdAt')
      .addOrderBy('e.id')
      .limit(limit + 1);
    narrowEndpoints(query, filter);
    if (cursor !== undefined) {
      const { at, id } = decodeCursor(cursor);
      query.andWhere('(e.created_at, e.id) > (:at, :id)', { at: new Date(at), id });
    }
    const rows = await withSecrets(this.database.session, await query.getMany());
    return toPage(rows, limit, (row) => ({ at: row.createdAt, id: row.endpointId }));
  }

  /**
   * Raises the revision by one. With `expectedRevision` it changes nothing but that revision. An endpoint that is verified
   * has to be again when its URL or method is another one.
   */
  update(
    endpointId: string,
    changes: EndpointChanges,
    options: { readonly now: number; readonly expectedRevision?: number | undefined },
  ): Promise<UpdateResult> {
    return this.database.transaction(async (session): Promise<UpdateResult> => {
      const before = await lockEndpoint(session, endpointId);
      if (before === null) return { outcome: 'not-found' };
      if (options.expectedRevision !== undefined && options.expectedRevision !== before.revision) {
        return { outcome: 'conflict', revision: before.revision };
      }
      const given = Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined));
      const { verification: method, ...settings } = given as Partial<NewEndpoint>;
      const changed = { ...before, ...settings };
      const { url } = changed;
      const verification = verificationAfter(before, { url, method }, before.revision + 1, options.now);
      const merged: Endpoint = { ...changed, verification };
      return { outcome: 'updated', endpoint: await store(session, before, merged, 'updated', options.now) };
    });
  }

  /** Unless it is not as `isExpected`, which is asked with its row locked. */
  delete(
    endpointId: string,
    now: number,
    isExpected: (endpoint: Endpoint) => boolean = () => true,
  ): Promise<DeleteResult> {
    return this.database.transaction(async (session): Promise<DeleteResult> => {
      const before = await lockEndpoint(session, endpointId);
      if (before === null) return { outcome: 'not-found' };
      if (!isExpected(before)) return { outcome: 'unexpected', endpoint: before };
      await session.delete(endpointEntity, { id: endpointId });
      await noteChange(session, endpointId, now);
      const endpoint = { ...before, revision: before.revision + 1 };
      await noteVersion(session, { before, endpoint, change: 'deleted', at: Math.max(now, before.updatedAt) });
      return { outcome: 'deleted' };
    });
  }

  /**
   * Says in the audit log who sends a test, before it is sent. It changes nothing.
   * @returns false when there is no such endpoint.
   */
  noteTest(
    endpointId: string,
    test: { readonly deliveryId: string; readonly webhookId: string; readonly eventType: string },
    now: number,
  ): Promise<boolean> {
    return this.database.transaction(async (session) => {
      const row = await session.findOneBy(endpointEntity, { id: endpointId });
      if (row === null) return false;
      const [action, resource] = ['endpoint.tested', `endpoint/${endpointId}`];
      await noteAudit(session, { tenantId: row.tenantId, at: now, action, resource, before: null, after: test });
      return true;
    });
  }

  /**
   * Disables an endpoint that asked for it (410), unless it was changed at or after `decidedAt`: whoever changed it
   * since then has decided anew.
   * @returns whether it was disabled by this call.
   */
  disable(
    endpointId: string,
    reason: string,
    options: { readonly now: number; readonly decidedAt: number },
  ): Promise<boolean> {
    return this.database.transaction((session) => disableEndpoint(session, endpointId, reason, options));
  }
}

/** `EndpointRepository.disable` as a part of a transaction. */
export async function disableEndpoint(
  session: Session,
  endpointId: string,
  reason: string,
  { now, decidedAt }: { readonly now: number; readonly decidedAt: number },
): Promise<boolean> {
  const before = await lockEndpoint(session, endpointId);
  if (before === null || before.state === 'disabled' || before.updatedAt >= decidedAt) return false;
  await store(session, before, { ...before, state: 'disabled', disabledReason: reason }, 'disabled', now);
  return true;
}

/**
 * For what is decided of a halted delivery: that stands beside the endpoint's row, but in its published record. Holds the
 * row, as every change does.
 * @param store keeps what was decided, with the row held
 * @returns false when there is no such endpoint.
 */
export async function raiseRevision(
  session: Session,
  endpointId: string,
  resolution: Pick<HaltResolution, 'deliveryId' | 'action'>,
  { now, store: keep }: { readonly now: number; readonly store: () => Promise<void> },
): Promise<boolean> {
  const before = await lockEndpoint(session, endpointId);
  if (before === null) return false;
  const revision = before.revision + 1;
  await keep();
  await session.update(endpointEntity, { id: endpointId }, { revision });
  await noteChange(session, endpointId, now);
  const [endpoint, at] = [{ ...before, revision }, Math.max(now, before.updatedAt)];
  await noteVersion(session, { before, endpoint, change: 'resolved', at, resolution });
  return true;
}

/** The endpoint as committed last, with its secrets in order. */
export async function findEndpoint(session: Session, endpointId: string): Promise<Endpoint | null> {
  const row = await session.findOneBy(endpointEntity, { id: endpointId });
  if (row === null) return null;
  const [endpoint] = await withSecrets(session, [row]);
  return endpoint ?? null;
}

async function lockEndpoint(session: Session, endpointId: string): Promise<Endpoint | null> {
  const row = await session.findOne(endpointEntity, { where: { id: endpointId }, lock: { mode: 'pessimistic_write' } });
  if (row === null) return null;
  const [endpoint] = await withSecrets(session, [row]);
  return endpoint ?? null;
}

/**
 * What became of its verification, as a part of a transaction.
 * @param decide is asked with its row locked; null: nothing is changed
 * @returns the endpoint as it is then; null: there is none
 */
export async function changeVerification(
  session: Session,
  endpointId: string,
  decide: (endpoint: Endpoint) => Promise<EndpointVerification | null>,
  now: number,
): Promise<Endpoint | null> {
  const before = await lockEndpoint(session, endpointId);
  const verification = before && (await decide(before));
  if (before === null || verification === null) return before;
  const change = verification.state === 'verified' ? 'verified' : 'verification-failed';
  return store(session, before, { ...before, verification }, change, now);
}

async function store(
  session: Session,
  before: Endpoint,
  changed: Endpoint,
  change: 'updated' | 'disabled' | 'verified' | 'verification-failed',
  now: number,
): Promise<Endpoint> {
  const live = inForce(changed.secrets, now);
  const after: Endpoint = {
    ...changed,
    secrets: live.length === changed.secrets.length ? changed.secrets : live,
    // Only what Posthorn disabled has a reason; whoever sets the state takes it away.
    disabledReason: changed.state === 'disabled' ? changed.disabledReason : null,
    revision: before.revision + 1,
    // Never backwards, whatever the clocks of several processes say.
    updatedAt: Math.max(now, before.updatedAt),
  };
  await session.update(endpointEntity, { id: after.endpointId }, rowOf(after));
  if (after.secrets !== before.secrets) await storeSecrets(session, after);
  await keepRound(session, before, after);
  await noteChange(session, after.endpointId, now);
  await noteVersion(session, { before, endpoint: after, change, at: after.updatedAt });
  return after;
}

async function storeSecrets(session: Session, { endpointId, secrets }: Endpoint): Promise<void> {
  await session.delete(endpointSecretEntity, { endpointId });
  if (secrets.length === 0) return;
  await session.insert(
    endpointSecretEntity,
    secrets.map(({ secretId: id, ...rest }, place) => ({ ...rest, id, endpointId, place })),
  );
}

async function withSecrets(session: Session, rows: readonly EndpointRow[]): Promise<Endpoint[]> {
  if (rows.length === 0) return [];
  const secrets = await session.find(endpointSecretEntity, {
    where: { endpointId: In(rows.map(({ id }) => id)) },
    order: { endpointId: 'ASC', place: 'ASC' },
  });
  const byEndpoint = Map.groupBy(secrets, ({ endpointId }) => endpointId);
  return rows.map((row) => endpointOf(row, byEndpoint.get(row.id) ?? []));
}
