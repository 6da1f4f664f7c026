import { auditPrefix, type AuditEntry } from '#libs/contracts';
import { canonicalJson } from '#libs/core';
import { entryOf, type AuditRow } from './audit-rows.js';
import type { Session } from './database.js';

const selectEntries = /* sql */ `
SELECT l.* FROM unnest($1::text[], $2::bigint[]) AS wanted (tenant_id, seq) JOIN audit_log l USING (tenant_id, seq)
`;

/**
 * Records of the audit topic by the outbox keys that name them; other keys are passed over. Each tenant's in the order of
 * its chain.
 */
export async function recordsAt(session: Session, keys: readonly string[]): Promise<ReadonlyMap<string, AuditEntry>> {
  const places = keys.flatMap((key) => {
    const [, seq, tenantId] =
      /^(\d{1,15}):(.*)$/s.exec(key.startsWith(auditPrefix) ? key.slice(auditPrefix.length) : '') ?? [];
    return seq === undefined || tenantId === undefined ? [] : [{ seq, tenantId }];
  });
  if (places.length === 0) return new Map();
  const cells = [places.map(({ tenantId }) => tenantId), places.map(({ seq }) => seq)];
  const rows: AuditRow[] = await session.query(`${selectEntries} ORDER BY tenant_id, seq`, cells);
  return new Map(rows.map((row) => [`${auditPrefix}${row.seq}:${row.tenant_id}`, recordOf(row)]));
}

function recordOf(row: AuditRow): AuditEntry {
  const { actor, before, after, ...same } = entryOf(row);
  return {
    ...same,
    actorKind: actor.kind,
    actorId: actor.id,
    actorName: actor.name,
    before: before === null ? null : canonicalJson(before),
    after: after === null ? null : canonicalJson(after),
  };
}
