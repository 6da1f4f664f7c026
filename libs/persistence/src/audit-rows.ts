import type { AuditActorKind, ChainedEntry } from '#libs/core';

/** A row of `audit_log`. */
export interface AuditRow {
  tenant_id: string;
  seq: string;
  at: Date;
  actor_kind: AuditActorKind;
  actor_id: string;
  actor_name: string;
  ip: string | null;
  request_id: string | null;
  action: string;
  resource: string;
  before: unknown;
  after: unknown;
  prev_hash: Buffer;
  hash: Buffer;
}

export const entryOf = (row: AuditRow): ChainedEntry => ({
  tenantId: row.tenant_id,
  seq: Number(row.seq),
  at: row.at.getTime(),
  actor: { kind: row.actor_kind, id: row.actor_id, name: row.actor_name },
  ip: row.ip,
  requestId: row.request_id,
  action: row.action,
  resource: row.resource,
  before: row.before,
  after: row.after,
  prevHash: row.prev_hash,
  hash: row.hash,
});
