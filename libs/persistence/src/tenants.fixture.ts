import { plainContent, type Delivery } from '#libs/contracts';
import { scheduleOf } from '#libs/core';
import { ApiKeys } from './api-keys.js';
import type { Database } from './database.js';
import { EndpointFaultLog } from './endpoint-faults.js';
import { EndpointHistory } from './endpoint-history.js';
import { EndpointRepository, type NewEndpoint } from './endpoint-repository.js';
import { EndpointVerifications, type SettledTry } from './endpoint-verifications.js';
import { HaltedKeys } from './halted-keys.js';
import { noteAudit } from './note-audit.js';
import { PortalTokenRegister } from './portal-tokens.js';
import { Projection } from './projection.js';
import { aDelivery, aReplay, now } from './replays.fixture.js';
import { Replays } from './replays.js';
import { TenantRepository } from './tenant-repository.js';
import { TransformationRepository } from './transformations.js';

export const endpointOf = (tenantId: string, changes: Partial<NewEndpoint> = {}): NewEndpoint => ({
  endpointId: `ep_${tenantId}`,
  tenantId,
  url: `https://${tenantId}.example/`,
  eventTypes: ['task.*'],
  description: '',
  state: 'active',
  ordering: 'none',
  secrets: [
    {
      secretId: 'one',
      ciphertext: `sealed-${tenantId}`,
      expiresAt: null,
      kind: 'hmac',
      publicKey: null,
      createdAt: now,
    },
  ],
  maxInFlight: 16,
  timeoutMs: 15_000,
  retry: scheduleOf([5_000]),
  onExhausted: 'skip',
  rateLimit: null,
  adaptiveConcurrency: true,
  circuit: null,
  ...plainContent,
  ...changes,
});

export const digestOf = (tenantId: string): Buffer => Buffer.alloc(32, tenantId);

/** Of the claim that `createTenant` makes. */
export const aSettledTry = (endpointId: string, changes: Partial<SettledTry> = {}): SettledTry => ({
  claimed: { endpoint: { endpointId }, verification: { round: 1 }, claim: 'c', tries: null },
  verdict: { verified: true, allowedRate: null },
  origin: null,
  exchange: null,
  ...changes,
});

/** A tenant that has one of everything: what is its own has its id in its name. */
export async function createTenant(database: Database, tenantId: string): Promise<void> {
  const endpointId = `ep_${tenantId}`;
  await new TenantRepository(database).create({ id: tenantId, name: tenantId }, now);
  const backfill = { run: `b_${tenantId}`, cursors: [{ partition: 0, incarnation: 0, position: 1 }] };
  await new EndpointRepository(database).create(endpointOf(tenantId, { verification: 'challenge' }), now, backfill);
  await new EndpointVerifications(database).claim(endpointId, 'c', now);
  await new EndpointHistory(database).notePublished([{ endpointId, offset: 7, appendedAt: now, revision: 1 }]);
  const detail = `fault of ${tenantId}`;
  await new EndpointFaultLog(database).addFaults([
    { endpointId, kind: 'filter', count: 1, lastAt: now, lastDetail: detail },
  ]);
  await new ApiKeys(database).create(
    {
      id: `pht_${tenantId}`,
      tenantId,
      name: tenantId,
      digest: digestOf(tenantId),
      scopes: ['*'],
      expiresAt: null,
      createdBy: '',
    },
    now,
  );
  const minted = { tenantId, at: now, resource: `portal-token/ptk_${tenantId}`, before: null, after: null };
  await database.transaction((session) => noteAudit(session, { ...minted, action: 'portal-token.minted' }));
  await new PortalTokenRegister(database).revokeAll(tenantId, now);
  const transformation = { transformationId: `tr_${tenantId}`, tenantId, name: tenantId, code: `code of ${tenantId}` };
  await new TransformationRepository(database).create(transformation, now);
  await project(database, tenantId, endpointId);
  await new HaltedKeys(database).resolve(endpointId, `halted_${tenantId}`, 'skip', now);
  const replay = aReplay({ replayId: `replay:${tenantId}`, tenantId, endpointIds: [endpointId] });
  await new Replays(database).create(replay, now);
}

async function project(database: Database, tenantId: string, endpointId: string): Promise<void> {
  const own = { tenantId, endpointId, eventSource: `/${tenantId}`, stream: 'live' };
  const partition = tenantId.length;
  await new Projection(database).apply({
    advances: [],
    attempts: [],
    disables: [],
    deliveries: [
      aDelivery(`delivered_${tenantId}`, own),
      aDelivery(`dead_${tenantId}`, { ...own, status: 'dead-lettered', deadLetterReason: 'exhausted' }),
      aDelivery(`halted_${tenantId}`, { ...own, status: 'halted', completedAt: null, haltedAt: now }),
    ],
    deadLetters: [
      {
        partition,
        offset: 3,
        loggedAt: now,
        deadLetter: {
          deliveryId: `dead_${tenantId}`,
          delivery: { tenantId, endpointId, acceptedAt: now } as Delivery,
          reason: 'exhausted',
          at: now,
          lastStatus: 500,
          lastError: 'broken pipe',
        },
      },
    ],
  });
  await database.session.query(
    `INSERT INTO attempts (log_partition, log_offset, logged_at, delivery_id, number, config_version, started_at,
       duration_ms, url, request_headers, outcome, final, worker_id)
     VALUES ($1, 1, now(), $2, 1, 7, now(), 5, $3, '{}', 'delivered', true, 'w')`,
    [partition, `delivered_${tenantId}`, `https://${tenantId}.example/`],
  );
  await database.session.query(
    `INSERT INTO delivery_stats (tenant_id, endpoint_id, event_type, hour, attempts, failed, delivered, dead_lettered, dropped)
     VALUES ($1, $2, 'task.updated', to_timestamp(3600), 1, 0, 1, 0, 0)`,
    [tenantId, endpointId],
  );
}

/** Empties all but the audit log, which cannot be emptied. */
export async function forgetTenants(database: Database): Promise<void> {
  await database.session.query(
    `TRUNCATE tenants, api_keys, transformations, transformation_versions, endpoints, endpoint_secrets, endpoint_versions, endpoint_publications, endpoint_faults, endpoint_verifications,
       cursors, source_partitions, halt_resolutions, dead_letter_resolutions, replays,
       replay_partitions, outbox, idempotency_keys, portal_generations, revoked_portal_tokens`,
  );
  await new Projection(database).drop();
}
