import { tenantKey } from '#libs/contracts';
import { decodeCursor, toPage } from './cursor.js';
import type { Database } from './database.js';
import { wantedWords } from './dead-letter-filter.js';
import { endpointEntity, tenantEntity } from './entities.js';
import { noteAudit } from './note-audit.js';
import { noteChange } from './note-change.js';
import type { Page, PageRequest } from './page.js';
import { voidPortalTokens } from './portal-tokens.js';
import { deleteTransformationsOf } from './transformations.js';
import { wordsOf } from './words.js';

export interface Tenant {
  readonly id: string;
  readonly name: string;
  /** Unix milliseconds, as all times here. */
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** Tenants. Each change, its outbox row and its audit entry are one transaction. */
export class TenantRepository {
  constructor(private readonly database: Database) {}

  /** @returns null when there is one of that id. */
  create(tenant: { readonly id: string; readonly name: string }, now: number): Promise<Tenant | null> {
    return this.database.transaction(async (session) => {
      const row = { id: tenant.id, name: tenant.name, createdAt: now, updatedAt: now };
      // Waits for a deletion of the same id that is under way, so the outbox rows stand in the order of the commits.
      const inserted = await session
        .createQueryBuilder()
        .insert()
        .into(tenantEntity)
        .values(row)
        .orIgnore()
        .returning('id')
        .execute();
      if ((inserted.raw as unknown[]).length === 0) return null;
      await noteChange(session, tenantKey(tenant.id), now);
      await noteAudit(session, { ...noteOf(tenant.id, now), action: 'tenant.created', before: null, after: row });
      return row;
    });
  }

  async get(id: string): Promise<Tenant | null> {
    return this.database.session.findOneBy(tenantEntity, { id });
  }

  /** Oldest first. @throws InvalidCursor */
  async list({
    limit,
    cursor,
    name,
  }: PageRequest & {
    /** Words, or beginnings of words, of the name. */
    readonly name?: string | undefined;
  }): Promise<Page<Tenant>> {
    const query = this.database.session
      .createQueryBuilder(tenantEntity, 't')
      .orderBy('t.createdAt')
      .addOrderBy('t.id')
      .limit(limit + 1);
    if (cursor !== undefined) {
      const { at, id } = decodeCursor(cursor);
      query.where('(t.created_at, t.id) > (:at, :id)', { at: new Date(at), id });
    }
    if (name !== undefined) query.andWhere(`${wordsOf('t.name')} @@ ${wantedWords(':wanted')}`, { wanted: name });
    return toPage(await query.getMany(), limit, (row) => ({ at: row.createdAt, id: row.id }));
  }

  /** With its transformations. A tenant that has endpoints is kept: delete those first. */
  delete(id: string, now: number): Promise<'deleted' | 'not-found' | 'has-endpoints'> {
    return this.database.transaction(async (session) => {
      // Creating an endpoint takes a share lock on this row, so none appears between the count and the deletion.
      const row = await session.findOne(tenantEntity, { where: { id }, lock: { mode: 'pessimistic_write' } });
      if (row === null) return 'not-found';
      if (await session.existsBy(endpointEntity, { tenantId: id })) return 'has-endpoints';
      await deleteTransformationsOf(session, id, now);
      await session.delete(tenantEntity, { id });
      // Another tenant of this name must not honour them.
      await voidPortalTokens(session, id);
      await noteChange(session, tenantKey(id), now);
      await noteAudit(session, { ...noteOf(id, now), action: 'tenant.deleted', before: row, after: null });
      return 'deleted';
    });
  }
}

const noteOf = (id: string, at: number) => ({ tenantId: id, at, resource: `tenant/${id}` });
