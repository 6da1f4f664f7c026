import type { HaltResolution } from '#libs/contracts';
import type { Session } from './database.js';
import { noteAudit } from './note-audit.js';
import type { Endpoint } from './endpoint.js';

/**
 * `resolved`: something was decided of a halted delivery. `verified`, `verification-failed`: its URL was asked whether it
 * wants what is sent there. `found`: it was there when its history began.
 */
export type EndpointChange =
  'created' | 'updated' | 'disabled' | 'resolved' | 'verified' | 'verification-failed' | 'deleted' | 'found';

type Identity = 'endpointId' | 'tenantId' | 'revision' | 'createdAt' | 'updatedAt' | 'backfill';
/** What is shown of them stands beside them. */
type Sealed = 'sealedAuthentication' | 'sealedClientCertificate' | 'caPem';

/** An endpoint's configuration at one revision. Of secrets only what is not secret: no ciphertext either. */
export interface EndpointSnapshot extends Omit<Endpoint, Identity | Sealed | 'secrets'> {
  readonly secrets: readonly { readonly secretId: string; readonly expiresAt: number | null }[];
}

/** A setting that is added to endpoints later is in the snapshots by itself: whatever is secret must be left out here. */
export function snapshotOf(endpoint: Endpoint): EndpointSnapshot {
  const { endpointId: _e, tenantId: _t, revision: _r, createdAt: _c, updatedAt: _u, backfill: _b, ...rest } = endpoint;
  const { secrets, sealedAuthentication: _a, sealedClientCertificate: _s, caPem: _p, ...settings } = rest;
  return { ...settings, secrets: secrets.map(({ secretId, expiresAt }) => ({ secretId, expiresAt })) };
}

const insertVersion = /* sql */ `
INSERT INTO endpoint_versions (endpoint_id, revision, tenant_id, change, changed_at, config, resolution)
VALUES ($1, $2, $3, $4, $5, $6, $7)
`;

export interface VersionNote {
  /** Null: it was created. */
  readonly before: Endpoint | null;
  /** With its new revision; with `deleted`: as it was at the end. */
  readonly endpoint: Endpoint;
  readonly change: Exclude<EndpointChange, 'found'>;
  readonly at: number;
  readonly resolution?: Pick<HaltResolution, 'deliveryId' | 'action'>;
}

/**
 * Keeps a revision for ever, and says in the audit log who made it, in the transaction that makes it. Call it last, with
 * the endpoint's row locked.
 */
export async function noteVersion(
  session: Session,
  { before, endpoint, change, at, resolution }: VersionNote,
): Promise<void> {
  const { endpointId, tenantId, revision } = endpoint;
  await session.query(insertVersion, [
    endpointId,
    revision,
    tenantId,
    change,
    new Date(at),
    JSON.stringify(snapshotOf(endpoint)),
    resolution === undefined ? null : JSON.stringify(resolution),
  ]);
  await noteAudit(session, {
    tenantId,
    at,
    action: `endpoint.${change}`,
    resource: `endpoint/${endpointId}`,
    before: before && { ...snapshotOf(before), revision: before.revision },
    after: change === 'deleted' ? null : { ...snapshotOf(endpoint), revision, ...(resolution && { resolution }) },
  });
}
