import type { HaltResolution } from '#libs/contracts';
import type { Session } from './database.js';
import type { Endpoint } from './endpoint.js';

/** `resolved`: something was decided of a halted delivery. `found`: it was there when its history began. */
export type EndpointChange = 'created' | 'updated' | 'disabled' | 'resolved' | 'deleted' | 'found';

type Identity = 'endpointId' | 'tenantId' | 'revision' | 'createdAt' | 'updatedAt' | 'backfill';

/** An endpoint's configuration at one revision. Of secrets only what is not secret: no ciphertext either. */
export interface EndpointSnapshot extends Omit<Endpoint, Identity | 'secrets'> {
  readonly secrets: readonly { readonly secretId: string; readonly expiresAt: number | null }[];
}

/** A setting that is added to endpoints later is in the snapshots by itself: whatever is secret must be left out here. */
export function snapshotOf(endpoint: Endpoint): EndpointSnapshot {
  const { endpointId: _e, tenantId: _t, revision: _r, createdAt: _c, updatedAt: _u, backfill: _b, ...rest } = endpoint;
  const { secrets, ...settings } = rest;
  return { ...settings, secrets: secrets.map(({ secretId, expiresAt }) => ({ secretId, expiresAt })) };
}

const insertVersion = /* sql */ `
INSERT INTO endpoint_versions (endpoint_id, revision, tenant_id, change, changed_at, config, resolution)
VALUES ($1, $2, $3, $4, $5, $6, $7)
`;

/** Keeps a revision for ever, in the transaction that makes it. Call it with the endpoint's row locked. */
export async function noteVersion(
  session: Session,
  endpoint: Endpoint,
  change: EndpointChange,
  at: number,
  resolution?: Pick<HaltResolution, 'deliveryId' | 'action'>,
): Promise<void> {
  await session.query(insertVersion, [
    endpoint.endpointId,
    endpoint.revision,
    endpoint.tenantId,
    change,
    new Date(at),
    JSON.stringify(snapshotOf(endpoint)),
    resolution === undefined ? null : JSON.stringify(resolution),
  ]);
}
