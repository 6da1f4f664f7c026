import {
  chainEndFault,
  emptyChain,
  followChain,
  type AuditActorKind,
  type ChainedEntry,
  type ChainFault,
  type ChainHead,
} from '#libs/core';
import { entryOf, type AuditRow } from './audit-rows.js';
import { columns } from './columns.js';
import { Conditions } from './conditions.js';
import { decodeCursor, InvalidCursor, toPage } from './cursor.js';
import type { Database, Session } from './database.js';
import { noteAudit, type AuditNote } from './note-audit.js';
import type { Page, PageRequest } from './page.js';

/** What is left out (or undefined) does not narrow. */
export interface AuditFilter {
  /** Empty: the platform's own entries. */
  readonly tenantId?: string | undefined;
  readonly actorId?: string | undefined;
  readonly actorKind?: AuditActorKind | undefined;
  readonly action?: string | undefined;
  readonly resource?: string | undefined;
  readonly requestId?: string | undefined;
  /** Unix milliseconds, inclusive. */
  readonly from?: number | undefined;
  /** Exclusive. */
  readonly to?: number | undefined;
}

export interface ChainReport {
  /** Empty: the platform's own. */
  readonly tenantId: string;
  /** Entries that are as they were when they were added. */
  readonly entries: number;
  /** The first one; null: the chain is whole. */
  readonly fault: ChainFault | null;
}

const atOnce = 1_000;

const selectChains = /* sql */ `
SELECT tenant_id FROM audit_heads UNION SELECT DISTINCT tenant_id FROM audit_log ORDER BY tenant_id
`;
const selectNext = /* sql */ `
SELECT * FROM audit_log WHERE tenant_id = $1 AND seq > $2 ORDER BY seq LIMIT ${atOnce}
`;
const selectHashes = /* sql */ `
SELECT l.hash FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS asked (tenant_id, seq, place)
LEFT JOIN audit_log l USING (tenant_id, seq) ORDER BY place
`;
/** What was done, by whom: entries are added by `noteAudit`, beside the change itself. */
export class AuditLog {
  constructor(private readonly database: Database) {}

  /** Adds an entry to what is not changed in this database: before the change, since no transaction holds both. */
  add(note: AuditNote): Promise<void> {
    return this.database.transaction((session) => noteAudit(session, note));
  }

  /** Newest first. @throws InvalidCursor */
  async list(filter: AuditFilter, { limit, cursor }: PageRequest): Promise<Page<ChainedEntry>> {
    const conditions = new Conditions();
    conditions.equal('tenant_id', filter.tenantId);
    conditions.equal('actor_id', filter.actorId);
    conditions.equal('actor_kind', filter.actorKind);
    conditions.equal('action', filter.action);
    conditions.equal('resource', filter.resource);
    conditions.equal('request_id', filter.requestId);
    if (filter.from !== undefined) conditions.add((place) => `at >= ${place}`, new Date(filter.from));
    if (filter.to !== undefined) conditions.add((place) => `at < ${place}`, new Date(filter.to));
    if (cursor !== undefined) {
      const { at, tenantId, seq } = placeOf(cursor);
      conditions.add((places) => `(at, tenant_id, seq) < (${places})`, new Date(at), tenantId, seq);
    }
    const rows: AuditRow[] = await this.database.session.query(
      `SELECT * FROM audit_log ${conditions.where()}
       ORDER BY at DESC, tenant_id DESC, seq DESC LIMIT ${conditions.value(limit + 1)}`,
      conditions.parameters,
    );
    return toPage(rows.map(entryOf), limit, ({ at, seq, tenantId }) => ({ at, id: `${seq}:${tenantId}` }));
  }

  /** Every chain that has entries, or had some. */
  async chains(): Promise<readonly string[]> {
    const rows: { tenant_id: string }[] = await this.database.session.query(selectChains);
    return rows.map(({ tenant_id: tenantId }) => tenantId);
  }

  /** Hashes of these entries, in their order; null: there is none. For operators, whoever's they are. */
  async hashes(entries: readonly { readonly tenantId: string; readonly seq: number }[]): Promise<(Buffer | null)[]> {
    const places = columns(entries, [({ tenantId }) => tenantId, ({ seq }) => seq]);
    const rows: { hash: Buffer | null }[] = await this.database.unconfined.session.query(selectHashes, places);
    return rows.map(({ hash }) => hash);
  }

  /** Walks a chain from its begin, as it is in this moment. For operators, whoever's chain it is. */
  verify(tenantId: string): Promise<ChainReport> {
    return this.database.unconfined.transaction(async (session) => {
      await session.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY');
      for (let head = emptyChain; ;) {
        const rows: AuditRow[] = await session.query(selectNext, [tenantId, head.seq]);
        for (const row of rows) {
          const next = followChain(head, entryOf(row));
          if ('fault' in next) return { tenantId, entries: head.seq, fault: next.fault };
          head = next.head;
        }
        if (rows.length === atOnce) continue;
        return { tenantId, entries: head.seq, fault: chainEndFault(head, await headOf(session, tenantId)) };
      }
    });
  }
}

async function headOf(session: Session, tenantId: string): Promise<ChainHead | null> {
  const [row]: { seq: string; hash: Buffer }[] = await session.query(
    'SELECT seq, hash FROM audit_heads WHERE tenant_id = $1',
    [tenantId],
  );
  return row === undefined ? null : { seq: Number(row.seq), hash: row.hash };
}

function placeOf(cursor: string): { at: number; tenantId: string; seq: number } {
  const { at, id } = decodeCursor(cursor);
  const [, seq, tenantId] = /^(\d{1,15}):(.*)$/s.exec(id) ?? [];
  if (seq === undefined || tenantId === undefined) throw new InvalidCursor(cursor);
  return { at, tenantId, seq: Number(seq) };
}
