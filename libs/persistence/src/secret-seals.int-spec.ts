import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { plainContent } from '#libs/contracts';
import { scheduleOf } from '#libs/core';
import { createTestDatabase, type TestDatabase } from '#libs/testing';
import { connectDatabase, type Database } from './database.js';
import type { StoredSecret } from './endpoint.js';
import { EndpointRepository } from './endpoint-repository.js';
import { migrate } from './migrate.js';
import { Outbox, type ConfigurationChange } from './outbox.js';
import { SecretSeals } from './secret-seals.js';
import { TenantRepository } from './tenant-repository.js';

// Real: PostgreSQL. Doubled: sealing.
let test: TestDatabase;
let database: Database;
let endpoints: EndpointRepository;
let seals: SecretSeals;

beforeAll(async () => {
  test = await createTestDatabase();
  await migrate(test.url);
  database = await connectDatabase(test.url);
  endpoints = new EndpointRepository(database);
  seals = new SecretSeals(database);
  await new TenantRepository(database).create({ id: 'acme', name: 'Acme' }, 1_000);
});
afterAll(async () => {
  await database?.close();
  await test?.drop();
});
beforeEach(() => database.session.query('TRUNCATE endpoints, endpoint_secrets, endpoint_versions, outbox CASCADE'));

const secret = (secretId: string, ciphertext: string, expiresAt: number | null = null): StoredSecret => ({
  secretId,
  kind: 'hmac',
  ciphertext,
  publicKey: null,
  createdAt: 2_000,
  expiresAt,
});
const create = (endpointId: string, ...secrets: StoredSecret[]) =>
  endpoints.create(
    {
      endpointId,
      tenantId: 'acme',
      url: 'http://127.0.0.1:1/hook',
      eventTypes: ['*'],
      description: '',
      state: 'active',
      ordering: 'none',
      onExhausted: 'skip',
      secrets,
      maxInFlight: 1,
      adaptiveConcurrency: true,
      rateLimit: null,
      circuit: null,
      timeoutMs: 1_000,
      retry: scheduleOf([]),
      ...plainContent,
    },
    2_000,
  );
const published = async (): Promise<ConfigurationChange[]> => {
  const changes: ConfigurationChange[] = [];
  await new Outbox(database).publishPending((some) => {
    changes.push(...some);
    return Promise.resolve();
  });
  return changes.filter(({ kind }) => kind === 'endpoint');
};
const newest = { seal: 'e2.', limit: 2, now: 9_000 };
const upgrade = (ciphertext: string, endpointId: string): string => {
  if (ciphertext.startsWith('e9.')) throw new RangeError('no master key of version 9');
  return `e2.${endpointId}.${ciphertext.split('.').at(-1)}`;
};

describe('sealing anew', () => {
  it('goes over the endpoints in batches, and leaves what is sealed so already', async () => {
    await create('ep_1', secret('s1', 'v1.a'));
    await create('ep_2', secret('s1', 'e2.x.b'));
    await create('ep_3', secret('s1', 'e2.x.c'), secret('s2', 'e1.x.d', 8_000));
    await create('ep_4', secret('s1', 'e1.x.e'));
    expect(Object.fromEntries(await seals.counts())).toEqual({ v1: 1, e1: 2, e2: 2 });
    const first = await seals.reseal(upgrade, { ...newest, after: '' });
    expect(first).toEqual({ next: 'ep_3', secrets: 2, endpoints: 2, busy: 0, failures: [] });
    const second = await seals.reseal(upgrade, { ...newest, after: 'ep_3' });
    expect(second).toEqual({ next: 'ep_4', secrets: 1, endpoints: 1, busy: 0, failures: [] });
    const third = await seals.reseal(upgrade, { ...newest, after: '' });
    expect(third).toEqual({ next: null, secrets: 0, endpoints: 0, busy: 0, failures: [] });
    expect(Object.fromEntries(await seals.counts())).toEqual({ e2: 5 });
    expect((await endpoints.get('ep_3'))?.secrets).toEqual([secret('s1', 'e2.x.c'), secret('s2', 'e2.ep_3.d', 8_000)]);
  });

  it('publishes each record once more, as the same revision', async () => {
    const before = await create('ep_1', secret('s1', 'e1.x.a'));
    await create('ep_2', secret('s1', 'e2.x.b'));
    await published();
    await seals.reseal(upgrade, { ...newest, after: '' });
    expect(await seals.unpublished()).toBe(1);
    expect(await published()).toMatchObject([
      { key: 'ep_1', config: { revision: 1, updatedAt: 2_000, secrets: [{ ciphertext: 'e2.ep_1.a' }] } },
    ]);
    expect(await endpoints.get('ep_1')).toEqual({ ...before, secrets: [secret('s1', 'e2.ep_1.a')] });
  });

  it('tells only workers what they need of a secret', async () => {
    await create('ep_1', secret('s1', 'e1.x.a'));
    const [change] = await published();
    const secrets = change?.kind === 'endpoint' ? change.config?.secrets : null;
    expect(secrets).toEqual([{ secretId: 's1', ciphertext: 'e1.x.a', expiresAt: null }]);
  });

  it('goes on after what cannot be opened, and says what it was', async () => {
    await create('ep_1', secret('s1', 'e9.x.a'), secret('s2', 'e1.x.b'));
    await create('ep_2', secret('s1', 'e1.x.c'));
    const pass = await seals.reseal(upgrade, { ...newest, after: '' });
    expect(pass).toMatchObject({ secrets: 2, endpoints: 2 });
    expect(pass.failures).toEqual([{ endpointId: 'ep_1', secretId: 's1', reason: 'no master key of version 9' }]);
    expect(Object.fromEntries(await seals.counts())).toEqual({ e2: 2, e9: 1 });
  });

  it('waits for nobody who is changing an endpoint, and loses nothing of that change', async () => {
    await create('ep_1', secret('s1', 'e1.x.a'));
    await create('ep_2', secret('s1', 'e1.x.b'));
    await database.transaction(async (session) => {
      await session.query(`SELECT FROM endpoints WHERE id = 'ep_1' FOR UPDATE`);
      const pass = await seals.reseal(upgrade, { ...newest, after: '' });
      expect(pass).toMatchObject({ next: 'ep_2', secrets: 1, busy: 1 });
    });
    await endpoints.update('ep_1', { secrets: [secret('s2', 'e1.x.c')] }, { now: 3_000 });
    expect(await seals.reseal(upgrade, { ...newest, after: '' })).toMatchObject({ secrets: 1, busy: 0 });
    expect((await endpoints.get('ep_1'))?.secrets).toEqual([secret('s2', 'e2.ep_1.c')]);
  });
});

describe('credentials', () => {
  const certificate = { subject: 'CN=a', issuer: 'CN=b', fingerprint: 'AB', notBefore: 1, notAfter: 2 };
  const credentials = {
    authentication: { kind: 'basic', username: 'posthorn', setAt: 2_000 },
    sealedAuthentication: 'e1.x.auth',
    clientCertificate: { ...certificate, setAt: 2_000 },
    sealedClientCertificate: 'e1.x.cert',
    caCertificates: [certificate],
    caPem: 'PEM',
  } as const;

  it('are kept, told to workers as ciphertext, and changed', async () => {
    const none = { authentication: null, sealedAuthentication: null, clientCertificate: null, caPem: null };
    expect(await create('ep_1', secret('s1', 'e2.x.a'))).toMatchObject(none);
    await endpoints.update('ep_1', credentials, { now: 3_000 });
    expect(await endpoints.get('ep_1')).toMatchObject(credentials);
    const [change] = await published();
    const { sealedAuthentication, sealedClientCertificate, caPem } = credentials;
    expect(change?.config).toMatchObject({ sealedAuthentication, sealedClientCertificate, caPem });
    for (const name of ['authentication', 'clientCertificate', 'caCertificates'])
      expect(change?.config).not.toHaveProperty(name);
    await endpoints.update('ep_1', { authentication: null, sealedAuthentication: null }, { now: 4_000 });
    expect(await endpoints.get('ep_1')).toMatchObject({ authentication: null, caPem: 'PEM' });
  });

  it('are in the history and the audit log without what is sealed', async () => {
    await create('ep_1', secret('s1', 'e2.x.a'));
    await endpoints.update('ep_1', credentials, { now: 3_000 });
    const rows: { row: string }[] = await database.session.query(
      `SELECT v::text AS row FROM endpoint_versions v UNION ALL SELECT a::text FROM audit_log a WHERE resource = 'endpoint/ep_1'`,
    );
    const text = rows.map(({ row }) => row).join('\n');
    expect(text).toContain('CN=a');
    expect(text).not.toMatch(/e1\.x\.|sealed|PEM/);
  });

  it('are sealed anew as secrets are', async () => {
    await create('ep_1', secret('s1', 'e2.x.a'));
    await create('ep_2', secret('s1', 'e1.x.b'));
    await create('ep_3', secret('s1', 'e2.x.c'));
    const { authentication, sealedAuthentication } = credentials;
    await endpoints.update('ep_1', credentials, { now: 3_000 });
    await endpoints.update('ep_3', { authentication, sealedAuthentication }, { now: 3_000 });
    expect(Object.fromEntries(await seals.counts())).toEqual({ e1: 4, e2: 2 });
    const first = await seals.reseal(upgrade, { ...newest, after: '' });
    expect(first).toEqual({ next: 'ep_2', secrets: 3, endpoints: 2, busy: 0, failures: [] });
    const second = await seals.reseal(upgrade, { ...newest, after: 'ep_2' });
    expect(second).toMatchObject({ next: 'ep_3', secrets: 1, endpoints: 1 });
    expect(await seals.reseal(upgrade, { ...newest, after: '' })).toMatchObject({ next: null, secrets: 0 });
    expect(Object.fromEntries(await seals.counts())).toEqual({ e2: 6 });
    expect(await endpoints.get('ep_1')).toMatchObject({
      ...credentials,
      revision: 2,
      sealedAuthentication: 'e2.ep_1.auth',
      sealedClientCertificate: 'e2.ep_1.cert',
    });
  });

  it('that cannot be opened are named', async () => {
    await create('ep_1', secret('s1', 'e2.x.a'));
    await endpoints.update('ep_1', { ...credentials, sealedAuthentication: 'e9.x.auth' }, { now: 3_000 });
    const { failures, secrets } = await seals.reseal(upgrade, { ...newest, after: '' });
    expect([secrets, failures.map(({ secretId }) => secretId)]).toEqual([1, ['authentication']]);
  });
});

it('an expired secret goes with the next change of its endpoint, whatever that is', async () => {
  await create('ep_1', secret('s1', 'e1.x.a'), secret('s2', 'e1.x.b', 5_000), secret('s3', 'e1.x.c', 5_001));
  await endpoints.update('ep_1', { description: 'x' }, { now: 4_999 });
  expect((await endpoints.get('ep_1'))?.secrets).toHaveLength(3);
  const { endpoint } = (await endpoints.update('ep_1', { description: 'y' }, { now: 5_000 })) as { endpoint: object };
  expect(endpoint).toMatchObject({ secrets: [{ secretId: 's1' }, { secretId: 's3' }] });
  expect((await endpoints.get('ep_1'))?.secrets.map(({ secretId }) => secretId)).toEqual(['s1', 's3']);
  await endpoints.disable('ep_1', 'gone', { now: 9_000, decidedAt: 8_000 });
  expect(Object.fromEntries(await seals.counts())).toEqual({ e1: 1 });
});
