import { auditDigest, withoutSecrets, type AuditContent } from '#libs/core';
import { auditPrefix } from '#libs/contracts';
import type { Session } from './database.js';
import { scopeNow } from './work-scope.js';

/** What was done; who did it, and from where, the scope says. */
export interface AuditNote {
  /** Whose it is; empty: the platform's own. */
  readonly tenantId: string;
  /** Unix milliseconds. */
  readonly at: number;
  /** Such as `endpoint.updated`. */
  readonly action: string;
  /** Such as `endpoint/ep_1`. */
  readonly resource: string;
  /** As it was and as it became; null: it was not there. What is secret in it is taken out here. */
  readonly before: unknown;
  readonly after: unknown;
}

// The chain goes on in the database, so that a chain is locked for one statement and the commit, not for our round trips.
const appendEntry = /* sql */ `
WITH head AS (
  INSERT INTO audit_heads AS h (tenant_id, seq, prev_hash, hash)
  VALUES ($1, 1, decode(repeat('00', 32), 'hex'), sha256(decode(repeat('00', 32), 'hex') || int8send(1) || $12::bytea))
  ON CONFLICT (tenant_id) DO UPDATE SET
    seq = h.seq + 1, prev_hash = h.hash, hash = sha256(h.hash || int8send(h.seq + 1) || $12::bytea)
  RETURNING seq, prev_hash, hash
), entry AS (
  INSERT INTO audit_log (
    tenant_id, seq, at, actor_kind, actor_id, actor_name, ip, request_id, action, resource, before, after, prev_hash, hash
  )
  SELECT $1, seq, $2, $3, $4, $5, $6, $7, $8, $9, $10::json, $11::json, prev_hash, hash FROM head
)
INSERT INTO outbox (key, created_at) SELECT '${auditPrefix}' || seq || ':' || $1, $2 FROM head
`;

/**
 * Adds an entry to the audit log, in the transaction that makes the change, and has it exported. Call it last: until the
 * commit it holds the chain's head, so changes of one tenant's configuration are committed one after the other.
 */
export async function noteAudit(session: Session, note: AuditNote): Promise<void> {
  const { actor, ip, requestId } = scopeNow();
  const [before, after] = [withoutSecrets(note.before), withoutSecrets(note.after)];
  const content: AuditContent = { ...note, before, after, actor, ip, requestId };
  await session.query(appendEntry, [
    note.tenantId,
    new Date(note.at),
    actor.kind,
    actor.id,
    actor.name,
    ip,
    requestId,
    note.action,
    note.resource,
    jsonOf(before),
    jsonOf(after),
    auditDigest(content),
  ]);
}

const jsonOf = (value: unknown): string | null =>
  value === null || value === undefined ? null : JSON.stringify(value);
