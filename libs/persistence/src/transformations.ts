import { transformationPrefix, type TransformationConfig } from '#libs/contracts';
import { Conditions } from './conditions.js';
import { decodeCursor, decodeNumber, toPage } from './cursor.js';
import type { Database, Session } from './database.js';
import { wantedWords } from './dead-letter-filter.js';
import { endpointEntity, tenantEntity } from './entities.js';
import { noteAudit } from './note-audit.js';
import { noteChange } from './note-change.js';
import type { Page, PageRequest } from './page.js';
import type {
  NewTransformation,
  Transformation,
  TransformationSummary,
  TransformationUpdate,
  TransformationVersion,
  VersionSummary,
} from './transformation.js';
import {
  insertTransformation,
  insertVersion,
  selectTransformation,
  selectTransformations,
  selectVersion,
  selectVersions,
  updateTransformation,
} from './transformations.sql.js';
import { wordsOf } from './words.js';

interface SummaryRow {
  readonly id: string;
  readonly tenant_id: string;
  readonly name: string;
  readonly version: number;
  readonly created_at: Date;
  readonly updated_at: Date;
}

type Row = SummaryRow & { readonly code: string; readonly code_changed_at: Date };

interface VersionRow {
  readonly version: number;
  readonly restored_from: number | null;
  readonly created_at: Date;
}

type Expectation = (transformation: Transformation) => boolean;
const anything: Expectation = () => true;

/**
 * Transformations and all versions of their code. Each change, its outbox row and its audit entry are one transaction that
 * holds the transformation's row, so per transformation outbox rows stand in the order of the commits, and versions have no gap.
 */
export class TransformationRepository {
  constructor(private readonly database: Database) {}

  /** @returns null when the tenant does not exist. The id is new: a repeated one throws. */
  create({ transformationId, tenantId, name, code }: NewTransformation, now: number): Promise<Transformation | null> {
    return this.database.transaction(async (session) => {
      const lock = { mode: 'for_key_share' } as const;
      if ((await session.findOne(tenantEntity, { where: { id: tenantId }, lock })) === null) return null;
      const at = new Date(now);
      await session.query(insertTransformation, [transformationId, tenantId, name, at]);
      await session.query(insertVersion, [transformationId, 1, code, null, at]);
      await noteChange(session, transformationPrefix + transformationId, now);
      const created = await findTransformation(session, transformationId);
      await noteTransformation(session, 'created', null, created, now);
      return created;
    });
  }

  get(transformationId: string): Promise<Transformation | null> {
    return findTransformation(this.database.session, transformationId);
  }

  /** Oldest first. @throws InvalidCursor */
  async list({
    tenantId,
    name,
    limit,
    cursor,
  }: PageRequest & {
    readonly tenantId?: string | undefined;
    /** Words, or beginnings of words, of the name. */
    readonly name?: string | undefined;
  }): Promise<Page<TransformationSummary>> {
    const conditions = new Conditions();
    conditions.equal('t.tenant_id', tenantId);
    if (name !== undefined) conditions.add((place) => `${wordsOf('t.name')} @@ ${wantedWords(place)}`, name);
    if (cursor !== undefined) {
      const { at, id } = decodeCursor(cursor);
      conditions.add((places) => `(t.created_at, t.id) > (${places})`, new Date(at), id);
    }
    const query = selectTransformations(conditions.where(), conditions.value(limit + 1));
    const rows: SummaryRow[] = await this.database.session.query(query, conditions.parameters);
    return toPage(rows.map(summaryOf), limit, (one) => ({ at: one.createdAt, id: one.transformationId }));
  }

  /** What is left out, or undefined, stays. Other code is a new version. `isExpected` is asked with its row locked. */
  update(
    transformationId: string,
    { name, code }: { readonly name?: string | undefined; readonly code?: string | undefined },
    now: number,
    isExpected: Expectation = anything,
  ): Promise<TransformationUpdate> {
    const change = (before: Transformation) =>
      Promise.resolve({ name: name ?? before.name, code: code ?? before.code, restoredFrom: null });
    return this.#change(transformationId, now, change, isExpected);
  }

  /** The code of an earlier version comes back as a new one. */
  restore(transformationId: string, version: number, now: number): Promise<TransformationUpdate> {
    return this.#change(transformationId, now, async ({ name }, session) => {
      const found = await findVersion(session, transformationId, version);
      return found && { name, code: found.code, restoredFrom: version };
    });
  }

  /** Endpoints that name it keep it from being deleted. */
  delete(
    transformationId: string,
    now: number,
    isExpected: Expectation = anything,
  ): Promise<'deleted' | 'not-found' | 'in-use' | 'unexpected'> {
    return this.database.transaction(async (session) => {
      // An endpoint that is to name it takes a share lock on this row: none does between the look and the deletion.
      const locked: unknown[] = await session.query('SELECT FROM transformations WHERE id = $1 FOR UPDATE', [
        transformationId,
      ]);
      const before = locked.length === 0 ? null : await findTransformation(session, transformationId);
      if (before === null) return 'not-found';
      if (!isExpected(before)) return 'unexpected';
      if (await session.existsBy(endpointEntity, { transformationId })) return 'in-use';
      await session.query('DELETE FROM transformations WHERE id = $1', [transformationId]);
      await noteChange(session, transformationPrefix + transformationId, now);
      await noteTransformation(session, 'deleted', before, null, now);
      return 'deleted';
    });
  }

  /** Newest first. @returns null when there is no such transformation. @throws InvalidCursor */
  async versions(transformationId: string, { limit, cursor }: PageRequest): Promise<Page<VersionSummary> | null> {
    const conditions = new Conditions();
    conditions.equal('transformation_id', transformationId);
    if (cursor !== undefined) conditions.add((place) => `version < ${place}`, decodeNumber(cursor));
    const query = selectVersions(conditions.where(), conditions.value(limit + 1));
    const rows: VersionRow[] = await this.database.session.query(query, conditions.parameters);
    // Each has one at least.
    if (rows.length === 0 && (await this.get(transformationId)) === null) return null;
    return toPage(rows.map(versionOf), limit, ({ version }) => ({ at: version, id: transformationId }));
  }

  version(transformationId: string, version: number): Promise<TransformationVersion | null> {
    return findVersion(this.database.session, transformationId, version);
  }

  #change(
    transformationId: string,
    now: number,
    change: (
      before: Transformation,
      session: Session,
    ) => Promise<{ readonly name: string; readonly code: string; readonly restoredFrom: number | null } | null>,
    isExpected: Expectation = anything,
  ): Promise<TransformationUpdate> {
    return this.database.transaction(async (session): Promise<TransformationUpdate> => {
      await session.query('SELECT FROM transformations WHERE id = $1 FOR NO KEY UPDATE', [transformationId]);
      const before = await findTransformation(session, transformationId);
      if (before === null) return { outcome: 'not-found' };
      if (!isExpected(before)) return { outcome: 'unexpected', transformation: before };
      const after = await change(before, session);
      if (after === null) return { outcome: 'no-such-version' };
      const isSameCode = after.code === before.code;
      if (isSameCode && after.name === before.name) return { outcome: 'unchanged', transformation: before };
      const version = isSameCode ? before.version : before.version + 1;
      // Never backwards, whatever the clocks of several processes say.
      const at = Math.max(now, before.updatedAt);
      if (!isSameCode) {
        await session.query(insertVersion, [transformationId, version, after.code, after.restoredFrom, new Date(at)]);
        await noteChange(session, transformationPrefix + transformationId, now);
      }
      await session.query(updateTransformation, [transformationId, after.name, version, new Date(at)]);
      const codeChangedAt = isSameCode ? before.codeChangedAt : at;
      const { name, code } = after;
      const transformation = { ...before, name, code, version, codeChangedAt, updatedAt: at };
      await noteTransformation(
        session,
        after.restoredFrom === null ? 'updated' : 'restored',
        before,
        transformation,
        at,
      );
      return { outcome: 'updated', transformation };
    });
  }
}

/** As committed last. */
export async function findTransformation(session: Session, transformationId: string): Promise<Transformation | null> {
  const [row]: Row[] = await session.query(selectTransformation, [transformationId]);
  return row === undefined ? null : transformationOf(row);
}

/** Of a tenant that is being deleted, has no endpoints, and is locked. */
export async function deleteTransformationsOf(session: Session, tenantId: string, now: number): Promise<void> {
  const owned: { id: string }[] = await session.query('SELECT id FROM transformations WHERE tenant_id = $1', [
    tenantId,
  ]);
  for (const { id } of owned) {
    const before = await findTransformation(session, id);
    await session.query('DELETE FROM transformations WHERE id = $1', [id]);
    await noteChange(session, transformationPrefix + id, now);
    await noteTransformation(session, 'deleted', before, null, now);
  }
}

/** One of both is there. */
async function noteTransformation(
  session: Session,
  change: 'created' | 'updated' | 'restored' | 'deleted',
  before: Transformation | null,
  after: Transformation | null,
  at: number,
): Promise<void> {
  const either = after ?? before;
  if (either === null) return;
  const { tenantId, transformationId } = either;
  const resource = `transformation/${transformationId}`;
  await noteAudit(session, { tenantId, at, action: `transformation.${change}`, resource, before, after });
}

/** What stands in the endpoints topic. */
export function configOfTransformation(transformation: Transformation): TransformationConfig {
  const { transformationId, tenantId, version, code, codeChangedAt } = transformation;
  return { transformationId, tenantId, version, code, updatedAt: codeChangedAt };
}

async function findVersion(
  session: Session,
  transformationId: string,
  version: number,
): Promise<TransformationVersion | null> {
  const [row]: (VersionRow & { code: string })[] = await session.query(selectVersion, [transformationId, version]);
  return row === undefined ? null : { ...versionOf(row), code: row.code };
}

const summaryOf = (row: SummaryRow): TransformationSummary => ({
  transformationId: row.id,
  tenantId: row.tenant_id,
  name: row.name,
  version: row.version,
  createdAt: row.created_at.getTime(),
  updatedAt: row.updated_at.getTime(),
});

const transformationOf = (row: Row): Transformation => ({
  ...summaryOf(row),
  code: row.code,
  codeChangedAt: row.code_changed_at.getTime(),
});

const versionOf = (row: VersionRow): VersionSummary => ({
  version: row.version,
  restoredFrom: row.restored_from,
  createdAt: row.created_at.getTime(),
});
