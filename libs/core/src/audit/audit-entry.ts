import { hash } from 'node:crypto';
import { canonicalJson } from './canonical-json.js';

/** `root`: the operator key of the environment. `system`: Posthorn itself. */
export type AuditActorKind = 'root' | 'operator' | 'tenant' | 'portal' | 'system';

export interface AuditActor {
  readonly kind: AuditActorKind;
  /** Of the key or token; empty for `root`, the part of Posthorn for `system`. */
  readonly id: string;
  /** For people. */
  readonly name: string;
}

/** What one entry of the audit log says. */
export interface AuditContent {
  /** Whose it is; empty: the platform's own. */
  readonly tenantId: string;
  /** Unix milliseconds. */
  readonly at: number;
  readonly actor: AuditActor;
  /** Address that the request came from; null: there was none. */
  readonly ip: string | null;
  readonly requestId: string | null;
  /** What was done, such as `endpoint.updated`. */
  readonly action: string;
  /** To what, such as `endpoint/ep_1`. */
  readonly resource: string;
  /** As it was and as it became, without secrets; null: it was not there. */
  readonly before: unknown;
  readonly after: unknown;
}

/** SHA-256 of all that the entry says. */
export function auditDigest(content: AuditContent): Buffer {
  const { tenantId, at, actor, ip, requestId, action, resource, before, after } = content;
  const said = [tenantId, at, actor.kind, actor.id, actor.name, ip, requestId, action, resource, before, after];
  return hash('sha256', canonicalJson(said), 'buffer');
}
