import { randomBytes } from 'node:crypto';
import { apiKeyBytes, newApiKey, parseMasterKeys, portalKeysOf, signPortalToken, type PortalClaims } from '#libs/core';
import type { KafkaLog } from '#libs/kafka';
import { ApiKeys, connectDatabase, type Database } from '#libs/persistence';
import { startApi, type TestApi } from './start-api.js';

/** What a tenant has. */
export interface Owned {
  readonly tenantId: string;
  readonly endpointId: string;
  readonly transformationId: string;
  readonly replayId: string;
  readonly keyId: string;
  readonly secretId: string;
  readonly tokenId: string;
  readonly deliveryId: string;
  readonly deadId: string;
  readonly otherDeadId: string;
  readonly haltedId: string;
  readonly otherHaltedId: string;
}

const hourMs = 3_600_000;

/** An api with a tenant who has one of everything, and with callers of every kind. */
export class AccessWorld {
  private constructor(
    readonly api: TestApi,
    readonly database: Database,
    readonly owned: Owned,
  ) {}

  static async open(): Promise<AccessWorld> {
    const api = await startApi({ POSTHORN_INGEST_TIMEOUT_MS: '300', POSTHORN_TEST_TIMEOUT_MS: '100' });
    const database = await connectDatabase(api.databaseUrl);
    for (const id of ['acme', 'other']) await api.call('POST', '/v1/tenants', { id, name: id });
    const owned = await furnish(api, database, 'acme');
    return new AccessWorld(api, database, owned);
  }

  /** A key of the platform (null) or of a tenant. @returns the whole key */
  async key(tenantId: string | null, scopes: readonly string[], expiresAt: number | null = null): Promise<string> {
    const holder = tenantId === null ? 'operator' : 'tenant';
    const { key, id, digest } = newApiKey(holder, randomBytes(apiKeyBytes));
    const made = { id, digest, tenantId, scopes, expiresAt, name: 'test', createdBy: '' };
    await new ApiKeys(this.database).create(made, Date.now());
    return key;
  }

  async revokedKey(): Promise<string> {
    const key = await this.key('acme', ['*']);
    await new ApiKeys(this.database).revoke(key.slice(0, 16), Date.now());
    return key;
  }

  expiredKey(): Promise<string> {
    return this.key('acme', ['*'], Date.now() - 1);
  }

  token(changes: Partial<PortalClaims> = {}, masterKeys = this.api.config.masterKeys): string {
    const now = Math.floor(Date.now() / 1_000);
    return signPortalToken(portalKeysOf(parseMasterKeys(masterKeys)), {
      tokenId: 'ptk_1',
      tenantId: 'acme',
      scopes: ['*'],
      endpointIds: null,
      generation: 0,
      issuedAt: now,
      expiresAt: now + 600,
      ...changes,
    });
  }

  /** As the api mints them, and revokes them. */
  async revokedToken(): Promise<string> {
    const { body } = await this.api.call('POST', '/v1/tenants/acme/portal-tokens', { scopes: ['*'] });
    await this.api.call('DELETE', `/v1/tenants/acme/portal-tokens/${String(body['id'])}`);
    return String(body['token']);
  }

  expiredToken(): string {
    const now = Math.floor(Date.now() / 1_000);
    return this.token({ issuedAt: now - 700, expiresAt: now - 1 });
  }

  call(bearer: string | null, method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
    const authorization = bearer === null ? '' : `Bearer ${bearer}`;
    return this.api.call(method, path, body, { authorization, ...headers });
  }

  async close(): Promise<void> {
    await this.database?.close();
    await this.api?.close();
  }
}

/** Gives the tenant one of everything, by the api where that makes it. */
export async function furnish(api: TestApi<KafkaLog>, database: Database, tenantId: string): Promise<Owned> {
  const idOf = async (path: string, body: unknown): Promise<string> => {
    const answer = await api.call('POST', path, body);
    if (answer.status >= 300) throw new Error(`POST ${path}: ${answer.text}`);
    return String(answer.body['id']);
  };
  const target = { tenantId, url: 'https://example.com/', eventTypes: ['*'] };
  const endpointId = await idOf('/v1/endpoints', target);
  const code = 'function handler(webhook) { return webhook; }';
  const transformationId = await idOf('/v1/transformations', { tenantId, name: 'one', code });
  const keyId = await idOf('/v1/keys', { name: 'one', tenantId, scopes: ['endpoints:read'] });
  const event = { specversion: '1.0', id: 'e', source: '/notes', type: 'note.added', tenantid: tenantId };
  const structured = { 'content-type': 'application/cloudevents+json' };
  await api.call('POST', '/v1/events', { ...event, data: { text: 'hello' } }, structured);
  const secrets = await api.call('GET', `/v1/endpoints/${endpointId}/secrets`);
  const [secret] = secrets.body['data'] as unknown as { id: string }[];
  const tokenId = await idOf(`/v1/tenants/${tenantId}/portal-tokens`, { scopes: ['stats:read'] });
  const from = new Date(0).toISOString();
  const replayId = await idOf('/v1/replays', { tenantId, from, endpointIds: [endpointId] });
  const deliveries = ['delivered', 'dead', 'dead2', 'halted', 'halted2'].map((name) => ({
    name,
    id: `${endpointId}.live.0.0.${name}`,
    status: name.startsWith('dead') ? 'dead-lettered' : name.replace(/\d/, ''),
  }));
  for (const { id, status } of deliveries) {
    await database.session.query(
      `INSERT INTO deliveries (delivery_id, webhook_id, tenant_id, endpoint_id, stream, event_id, event_source, event_type,
         status, attempts, accepted_at, dispatched_at, completed_at, dead_letter_reason, halted_at)
       VALUES ($1, 'm', $2, $3, 'live', 'e', '/', 'note.added', $4, 1, $5, $5, $6, 'exhausted', $5)`,
      [id, tenantId, endpointId, status, new Date(Date.now() - hourMs), status === 'halted' ? null : new Date()],
    );
    if (status !== 'dead-lettered') continue;
    await database.session.query(
      `INSERT INTO dead_letters (delivery_id, tenant_id, endpoint_id, reason, given_up_at, log_partition, log_offset, logged_at, accepted_at)
       SELECT delivery_id, tenant_id, endpoint_id, 'exhausted', now(), 0, 0, now(), accepted_at FROM deliveries WHERE delivery_id = $1`,
      [id],
    );
  }
  const of = (name: string): string => deliveries.find((one) => one.name === name)?.id ?? '';
  return {
    tenantId,
    endpointId,
    transformationId,
    replayId,
    keyId,
    secretId: secret?.id ?? '',
    tokenId,
    deliveryId: of('delivered'),
    deadId: of('dead'),
    otherDeadId: of('dead2'),
    haltedId: of('halted'),
    otherHaltedId: of('halted2'),
  };
}
