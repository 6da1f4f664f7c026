import { scopesOver, type KeptKey } from '#libs/core';
import { Conditions } from './conditions.js';
import { decodeCursor, toPage } from './cursor.js';
import type { Database } from './database.js';
import { noteAudit } from './note-audit.js';
import type { Page, PageRequest } from './page.js';

/** A key without what makes it one. Times are Unix milliseconds. */
export interface ApiKey {
  /** First part of the key. */
  readonly id: string;
  /** Null: the platform's. */
  readonly tenantId: string | null;
  readonly name: string;
  readonly scopes: readonly string[];
  /** Null: never. */
  readonly expiresAt: number | null;
  /** Null: it was not. */
  readonly revokedAt: number | null;
  /** To the minute; null: never. */
  readonly lastUsedAt: number | null;
  readonly createdAt: number;
  /** Who made it: id of a key, empty for the operator key of the environment. */
  readonly createdBy: string;
}

export type NewApiKey = Pick<ApiKey, 'tenantId' | 'name' | 'scopes' | 'expiresAt' | 'createdBy'> & KeptKey;

interface KeyRow {
  id: string;
  tenant_id: string | null;
  name: string;
  scopes: string[];
  expires_at: Date | null;
  revoked_at: Date | null;
  last_used_at: Date | null;
  created_at: Date;
  created_by: string;
}

const shown = 'id, tenant_id, name, scopes, expires_at, revoked_at, last_used_at, created_at, created_by';

const insertKey = /* sql */ `
INSERT INTO api_keys (id, tenant_id, name, digest, scopes, expires_at, created_at, created_by)
SELECT $1, $2, $3, $4, $5, $6, $7, $8 WHERE $2::text IS NULL OR EXISTS (SELECT FROM tenants WHERE id = $2 FOR KEY SHARE)
RETURNING ${shown}
`;

/** How exact `lastUsedAt` is. */
const useMs = 60_000;
const noteUse = /* sql */ `
UPDATE api_keys SET last_used_at = $2
WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= $2::timestamptz - make_interval(secs => ${useMs / 1_000}))
`;

/** What is left out (or undefined) does not narrow. */
export interface KeyFilter {
  readonly tenantId?: string | undefined;
  readonly state?: 'active' | 'revoked' | 'expired' | undefined;
  /** Those that hold it, by its name or a pattern. */
  readonly scope?: string | undefined;
}

function keyConditions({ tenantId, state, scope }: KeyFilter, now: number): Conditions {
  const conditions = new Conditions();
  conditions.equal('tenant_id', tenantId);
  if (state === 'revoked') conditions.add(() => 'revoked_at IS NOT NULL');
  else if (state !== undefined) {
    const isOver = state === 'expired' ? '' : 'IS NOT TRUE';
    conditions.add((place) => `revoked_at IS NULL AND (expires_at <= ${place}) ${isOver}`, new Date(now));
  }
  if (scope !== undefined) conditions.add((place) => `scopes && ${place}::text[]`, scopesOver(scope));
  return conditions;
}

/** Keys of the API. Each change and its audit entry are one transaction. */
export class ApiKeys {
  constructor(private readonly database: Database) {}

  /** @returns null when the tenant does not exist. The id is new: a repeated one throws. */
  create(key: NewApiKey, now: number): Promise<ApiKey | null> {
    return this.database.transaction(async (session) => {
      const [row]: KeyRow[] = await session.query(insertKey, [
        key.id,
        key.tenantId,
        key.name,
        key.digest,
        key.scopes,
        key.expiresAt === null ? null : new Date(key.expiresAt),
        new Date(now),
        key.createdBy,
      ]);
      if (row === undefined) return null;
      const created = keyOf(row);
      await noteAudit(session, { ...noteOf(created, now), action: 'key.created', before: null, after: created });
      return created;
    });
  }

  /**
   * The keys of these digests (hex), whoever's they are, also those that are revoked or have expired: it is for the caller
   * to refuse them.
   */
  async find(digests: readonly string[]): Promise<ReadonlyMap<string, ApiKey>> {
    const rows: (KeyRow & { digest: Buffer })[] = await this.database.unconfined.session.query(
      `SELECT ${shown}, digest FROM api_keys WHERE digest = ANY($1::bytea[])`,
      [digests.map((digest) => `\\x${digest}`)],
    );
    return new Map(rows.map((row) => [row.digest.toString('hex'), keyOf(row)]));
  }

  /** Says that it was used. Writes once a minute at most. */
  async noteUse({ id, lastUsedAt }: Pick<ApiKey, 'id' | 'lastUsedAt'>, now: number): Promise<void> {
    if (lastUsedAt !== null && now - lastUsedAt < useMs) return;
    await this.database.unconfined.session.query(noteUse, [id, new Date(now)]);
  }

  async get(id: string): Promise<ApiKey | null> {
    const [row]: KeyRow[] = await this.database.session.query(`SELECT ${shown} FROM api_keys WHERE id = $1`, [id]);
    return row === undefined ? null : keyOf(row);
  }

  /** Oldest first. @throws InvalidCursor */
  async list({ limit, cursor, ...filter }: PageRequest & KeyFilter, now: number): Promise<Page<ApiKey>> {
    const conditions = keyConditions(filter, now);
    if (cursor !== undefined) {
      const { at, id } = decodeCursor(cursor);
      conditions.add((places) => `(created_at, id) > (${places})`, new Date(at), id);
    }
    const rows: KeyRow[] = await this.database.session.query(
      `SELECT ${shown} FROM api_keys ${conditions.where()} ORDER BY created_at, id LIMIT ${conditions.value(limit + 1)}`,
      conditions.parameters,
    );
    return toPage(rows.map(keyOf), limit, (key) => ({ at: key.createdAt, id: key.id }));
  }

  /** For good. A key that is revoked stays so since when it was. @returns null when there is none */
  revoke(id: string, now: number): Promise<ApiKey | null> {
    return this.database.transaction(async (session) => {
      const [found]: KeyRow[] = await session.query(`SELECT ${shown} FROM api_keys WHERE id = $1 FOR UPDATE`, [id]);
      if (found === undefined) return null;
      const before = keyOf(found);
      if (before.revokedAt !== null) return before;
      await session.query('UPDATE api_keys SET revoked_at = $2 WHERE id = $1', [id, new Date(now)]);
      const after = { ...before, revokedAt: now };
      await noteAudit(session, { ...noteOf(before, now), action: 'key.revoked', before, after });
      return after;
    });
  }
}

const noteOf = ({ id, tenantId }: ApiKey, at: number) => ({ tenantId: tenantId ?? '', at, resource: `key/${id}` });

const keyOf = (row: KeyRow): ApiKey => ({
  id: row.id,
  tenantId: row.tenant_id,
  name: row.name,
  scopes: row.scopes,
  expiresAt: row.expires_at?.getTime() ?? null,
  revokedAt: row.revoked_at?.getTime() ?? null,
  lastUsedAt: row.last_used_at?.getTime() ?? null,
  createdAt: row.created_at.getTime(),
  createdBy: row.created_by,
});
