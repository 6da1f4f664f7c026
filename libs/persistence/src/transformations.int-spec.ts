// Real: PostgreSQL. Doubled: the sender of the outbox.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { plainContent } from '#libs/contracts';
import { scheduleOf } from '#libs/core';
import { createTestDatabase, type TestDatabase } from '#libs/testing';
import { connectDatabase, type Database } from './database.js';
import { EndpointRepository } from './endpoint-repository.js';
import { migrate } from './migrate.js';
import { Outbox, type ConfigurationChange } from './outbox.js';
import { publishAll } from './rebuild-outbox.js';
import { TenantRepository } from './tenant-repository.js';
import { namesNoTransformation } from './transformation-reference.js';
import { TransformationRepository } from './transformations.js';

let test: TestDatabase;
let database: Database;
let tenants: TenantRepository;
let endpoints: EndpointRepository;
let transformations: TransformationRepository;

beforeAll(async () => {
  test = await createTestDatabase();
  await migrate(test.url);
  database = await connectDatabase(test.url);
  tenants = new TenantRepository(database);
  endpoints = new EndpointRepository(database);
  transformations = new TransformationRepository(database);
});
afterAll(async () => {
  await database?.close();
  await test?.drop();
});
beforeEach(async () => {
  await database.session.query('TRUNCATE tenants, transformations, transformation_versions, endpoints, outbox CASCADE');
  for (const id of ['acme', 'other']) await tenants.create({ id, name: id }, 1_000);
  await published();
});

const create = (transformationId = 'tr_1', tenantId = 'acme', now = 2_000) =>
  transformations.create({ transformationId, tenantId, name: 'Chat', code: 'one' }, now);
const createEndpoint = (transformationId: string | null, endpointId = 'ep_1') =>
  endpoints.create(
    {
      endpointId,
      tenantId: 'acme',
      url: 'https://example.com',
      eventTypes: ['*'],
      description: '',
      state: 'active',
      ordering: 'none',
      onExhausted: 'skip',
      maxInFlight: 1,
      adaptiveConcurrency: false,
      rateLimit: null,
      circuit: null,
      timeoutMs: 1_000,
      retry: scheduleOf([1_000], { jitter: 0, maxDelayMs: 1_000 }),
      secrets: [],
      ...plainContent,
      transformationId,
    },
    3_000,
  );
/** Records of the endpoints topic. */
async function published(): Promise<ConfigurationChange[]> {
  const seen: ConfigurationChange[] = [];
  await new Outbox(database).publishPending((changes) => {
    seen.push(...changes.filter(({ kind }) => kind !== 'audit'));
    return Promise.resolve();
  });
  return seen;
}
const recordOf = (version: number, code: string, updatedAt: number) => [
  {
    kind: 'transformation',
    key: 'transformation:tr_1',
    config: { transformationId: 'tr_1', tenantId: 'acme', version, code, updatedAt },
  },
];

describe('a transformation', () => {
  it('is published as it is made, changed and deleted', async () => {
    await create();
    expect(await published()).toEqual(recordOf(1, 'one', 2_000));
    await transformations.update('tr_1', { code: 'two' }, 3_000);
    expect(await published()).toEqual(recordOf(2, 'two', 3_000));
    expect(await transformations.delete('tr_1', 4_000)).toBe('deleted');
    expect(await published()).toEqual([{ kind: 'transformation', key: 'transformation:tr_1', config: null }]);
    expect(await transformations.delete('tr_1', 4_000)).toBe('not-found');
    expect(await published()).toEqual([]);
  });

  it('has another version for other code alone', async () => {
    await create();
    await published();
    expect(await transformations.update('tr_1', { code: 'one' }, 3_000)).toMatchObject({ outcome: 'unchanged' });
    const renamed = await transformations.update('tr_1', { name: 'Other' }, 4_000);
    expect(renamed).toMatchObject({
      outcome: 'updated',
      transformation: { version: 1, name: 'Other', updatedAt: 4_000 },
    });
    expect(await published()).toEqual([]);
    await transformations.update('tr_1', { name: 'Third', code: 'two' }, 5_000);
    expect(await transformations.get('tr_1')).toEqual({
      transformationId: 'tr_1',
      tenantId: 'acme',
      name: 'Third',
      version: 2,
      code: 'two',
      codeChangedAt: 5_000,
      createdAt: 2_000,
      updatedAt: 5_000,
    });
    expect(await transformations.update('tr_2', { code: 'x' }, 1)).toEqual({ outcome: 'not-found' });
  });

  it('keeps every version, and brings one back as a new one', async () => {
    await create();
    for (const code of ['two', 'three']) await transformations.update('tr_1', { code }, 3_000);
    await published();
    expect(await transformations.restore('tr_1', 1, 4_000)).toMatchObject({
      transformation: { version: 4, code: 'one' },
    });
    expect(await published()).toEqual(recordOf(4, 'one', 4_000));
    expect(await transformations.restore('tr_1', 1, 5_000)).toMatchObject({ outcome: 'unchanged' });
    expect(await transformations.restore('tr_1', 9, 5_000)).toEqual({ outcome: 'no-such-version' });
    const first = await transformations.versions('tr_1', { limit: 3 });
    expect(first?.data).toEqual([
      { version: 4, restoredFrom: 1, createdAt: 4_000 },
      { version: 3, restoredFrom: null, createdAt: 3_000 },
      { version: 2, restoredFrom: null, createdAt: 3_000 },
    ]);
    const second = await transformations.versions('tr_1', { limit: 3, cursor: first?.nextCursor ?? '' });
    expect(second).toMatchObject({ data: [{ version: 1 }], nextCursor: null });
    expect(await transformations.version('tr_1', 2)).toMatchObject({ version: 2, code: 'two' });
    expect(await transformations.version('tr_1', 5)).toBeNull();
    expect(await transformations.versions('tr_2', { limit: 3 })).toBeNull();
  });

  it('has versions without a gap when it is changed at the same time', async () => {
    await create();
    await Promise.all(['a', 'b', 'c', 'd'].map((code) => transformations.update('tr_1', { code }, 3_000)));
    const versions = await transformations.versions('tr_1', { limit: 9 });
    expect(versions?.data.map(({ version }) => version)).toEqual([5, 4, 3, 2, 1]);
  });

  it('is listed by age, in pages, also of one tenant', async () => {
    for (const [id, tenant, now] of [
      ['tr_b', 'acme', 1],
      ['tr_a', 'other', 2],
      ['tr_c', 'acme', 3],
    ] as const) {
      await create(id, tenant, now);
    }
    const ids = async (tenantId?: string) => {
      const found: string[] = [];
      for (let cursor: string | undefined, more = true; more;) {
        const page = await transformations.list({ tenantId, limit: 1, cursor });
        found.push(...page.data.map(({ transformationId }) => transformationId));
        cursor = page.nextCursor ?? undefined;
        more = cursor !== undefined;
      }
      return found;
    };
    expect(await ids()).toEqual(['tr_b', 'tr_a', 'tr_c']);
    expect(await ids('acme')).toEqual(['tr_b', 'tr_c']);
  });

  it('is not made for a tenant that does not exist', async () => {
    expect(await create('tr_1', 'nobody')).toBeNull();
    expect(await published()).toEqual([]);
  });
});

describe('endpoints', () => {
  it('name one of their own tenant, and keep it', async () => {
    await create();
    await create('tr_foreign', 'other');
    const refusals = ['tr_none', 'tr_foreign'].map((id) => createEndpoint(id).catch(namesNoTransformation));
    expect(await Promise.all(refusals)).toEqual([true, true]);
    expect(await createEndpoint('tr_1')).toMatchObject({ transformationId: 'tr_1' });
    expect(await transformations.delete('tr_1', 4_000)).toBe('in-use');
    const to = (transformationId: string | null) => endpoints.update('ep_1', { transformationId }, { now: 5_000 });
    expect(await to('tr_foreign').catch(namesNoTransformation)).toBe(true);
    await to(null);
    expect(await transformations.delete('tr_1', 6_000)).toBe('deleted');
    expect(namesNoTransformation(new Error('other'))).toBe(false);
  });

  it('cannot name one while it is deleted: one of both is refused', async () => {
    for (let i = 0; i < 10; i += 1) {
      await create(`tr_${i}`);
      const [endpoint, deletion] = await Promise.all([
        createEndpoint(`tr_${i}`, `ep_${i}`).catch((error: unknown) => namesNoTransformation(error) || error),
        transformations.delete(`tr_${i}`, 4_000),
      ]);
      expect(deletion === 'deleted' ? endpoint : deletion).toBe(deletion === 'deleted' ? true : 'in-use');
    }
  });
});

it('goes with its tenant, and is published again with all others', async () => {
  await create();
  await published();
  await publishAll(database, ['transformation:tr_gone'], 5_000);
  const kinds = (await published()).map(({ kind, key, config }) => [kind, key, config === null]);
  expect(kinds).toEqual(
    expect.arrayContaining([
      ['transformation', 'transformation:tr_1', false],
      ['transformation', 'transformation:tr_gone', true],
    ]),
  );
  expect(await tenants.delete('acme', 6_000)).toBe('deleted');
  expect(await published()).toEqual([
    { kind: 'transformation', key: 'transformation:tr_1', config: null },
    { kind: 'tenant', key: 'tenant:acme', config: null },
  ]);
});
