// Real: Nest, Fastify, PostgreSQL, repositories, codec. Doubled: Kafka (InMemoryLog), the schema registry.
import { createPublicKey, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  formatPrivateKey,
  formatSecret,
  openSecret,
  parseMasterKeys,
  parsePublicKey,
  publicKeyOf,
  signingKey,
  signWebhook,
  verifyWebhook,
} from '#libs/core';
import { testCodec } from '../../test/event-codec.js';
import { startApi, type TestApi } from '../../test/start-api.js';

interface Secret {
  readonly id: string;
  readonly kind: string;
  readonly publicKey: string | null;
  readonly createdAt: string;
  readonly expiresAt: string | null;
}
type Rotated = Secret & { readonly secret: string | null; readonly replaced: readonly object[] };

let api: TestApi;
const day = 86_400_000;

beforeAll(async () => {
  api = await startApi();
  await api.call('POST', '/v1/tenants', { id: 'acme', name: 'Acme Ltd' });
});
afterAll(() => api.close());

const create = async (changes: object = {}) => {
  const body = { tenantId: 'acme', url: 'https://example.com/hooks', eventTypes: ['*'], ...changes };
  const created = await api.call('POST', '/v1/endpoints', body);
  expect(created.status).toBe(201);
  return created.body as unknown as { id: string; secret: string };
};
const rotate = async (id: string, body?: object): Promise<Rotated> => {
  const answer = await api.call('POST', `/v1/endpoints/${id}/secrets/rotate`, body);
  expect([answer.status, answer.headers['cache-control']]).toEqual([201, 'no-store']);
  return answer.body as unknown as Rotated;
};
const secretsOf = async (id: string): Promise<Secret[]> =>
  (await api.call('GET', `/v1/endpoints/${id}/secrets`)).body['data'] as unknown as Secret[];
/** What workers would sign with: the secrets in the newest record of the topic, opened. */
const published = async (id: string): Promise<{ secret: string; expiresAt: number | null }[]> => {
  const records = api.log.recordsOf(`${api.config.topicPrefix}.endpoints`);
  const { value } = records.findLast(({ key }) => key?.toString() === id)!;
  const { codec } = await testCodec();
  const keys = parseMasterKeys(api.config.masterKeys);
  return codec.platform.endpointConfig.decode(value!).secrets.map(({ ciphertext, expiresAt }) => {
    expect(ciphertext).toMatch(/^e1\./);
    return { secret: openSecret(keys, ciphertext, id), expiresAt };
  });
};

describe('the rotation of a secret', () => {
  it('signs with the new one at once, with the old one for a day, and shows the new one once', async () => {
    const { id, secret: old } = await create();
    const before = Date.now();
    const fresh = await rotate(id);
    expect(fresh).toMatchObject({ kind: 'hmac', publicKey: null, expiresAt: null });
    expect(fresh.secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    const ends = Date.parse((fresh.replaced[0] as { expiresAt: string }).expiresAt);
    expect(ends).toBeGreaterThanOrEqual(before + day);
    expect(ends).toBeLessThanOrEqual(Date.now() + day);
    expect(await published(id)).toEqual([
      { secret: fresh.secret, expiresAt: null },
      { secret: old, expiresAt: ends },
    ]);

    const listed = await api.call('GET', `/v1/endpoints/${id}/secrets`);
    expect(listed.body['data']).toMatchObject([
      { id: fresh.id, kind: 'hmac', expiresAt: null },
      { kind: 'hmac', createdAt: expect.stringMatching(/Z$/), expiresAt: new Date(ends).toISOString() },
    ]);
    expect(Object.keys(listed.body['data']![0]!)).toEqual(['id', 'kind', 'publicKey', 'createdAt', 'expiresAt']);
    const others = [
      listed,
      await api.call('GET', `/v1/endpoints/${id}`),
      await api.call('GET', `/v1/endpoints/${id}/history`),
    ];
    for (const { text } of others) {
      for (const secret of [old, fresh.secret!]) expect(text).not.toContain(secret.slice('whsec_'.length));
      expect(text).not.toContain('e1.');
    }
  });

  it('takes the overlap that it is given: none ends the old one at once', async () => {
    const { id } = await create();
    expect((await rotate(id, { overlapSeconds: 60 })).replaced).toHaveLength(1);
    const last = await rotate(id, { overlapSeconds: 0 });
    expect(last.replaced).toEqual([]);
    expect(await published(id)).toEqual([{ secret: last.secret, expiresAt: null }]);
  });

  it('takes a secret that you have made, as does the creation', async () => {
    const [first, second] = [formatSecret(randomBytes(24)), formatSecret(randomBytes(64))];
    const created = await create({ secret: first });
    expect(created.secret).toBe(first);
    // Written without its padding it is the same.
    const fresh = await rotate(created.id, { secret: second.replace(/=+$/, '') });
    expect(fresh.secret).toBe(second);
    expect((await published(created.id)).map(({ secret }) => secret)).toEqual([second, first]);
  });

  it.each([
    ['none', 'hunter2'],
    ['too short', formatSecret(randomBytes(24)).slice(0, 30)],
    ['weak', formatSecret(Buffer.alloc(32, 1))],
    ['a key that is not of its public key', `whsk_${randomBytes(64).toString('base64')}`],
  ])('refuses one that is %s, and does not repeat it', async (_, secret) => {
    const { id } = await create();
    const body = { tenantId: 'acme', url: 'https://example.com/hooks', eventTypes: ['*'], secret };
    for (const answer of [
      await api.call('POST', `/v1/endpoints/${id}/secrets/rotate`, { secret }),
      await api.call('POST', '/v1/endpoints', body),
    ]) {
      expect(answer.status).toBe(422);
      expect(answer.body['errors']).toMatchObject([{ pointer: '/secret' }]);
      expect(answer.text).not.toContain(secret);
    }
    expect(await secretsOf(id)).toHaveLength(1);
  });

  it('refuses one that the endpoint has, however it is written', async () => {
    const seed = randomBytes(32);
    const { id, secret } = await create();
    await rotate(id, { secret: formatPrivateKey(seed) });
    for (const known of [secret, secret.replace(/=+$/, ''), `whsk_${seed.toString('base64')}`]) {
      const answer = await api.call('POST', `/v1/endpoints/${id}/secrets/rotate`, { secret: known });
      expect(answer).toMatchObject({ status: 422, body: { errors: [{ pointer: '/secret' }] } });
    }
  });

  it.each([
    ['an overlap below nothing', { overlapSeconds: -1 }, '/overlapSeconds'],
    ['an overlap of more than a week', { overlapSeconds: 604_801 }, '/overlapSeconds'],
    ['an unknown kind', { kind: 'rsa' }, '/kind'],
    ['a secret of another kind', { kind: 'ed25519', secret: formatSecret(randomBytes(32)) }, '/kind'],
    ['what it does not know', { other: 1 }, '/other'],
  ])('refuses %s', async (_, body, pointer) => {
    const { id } = await create();
    const answer = await api.call('POST', `/v1/endpoints/${id}/secrets/rotate`, body);
    expect(answer).toMatchObject({ status: 422, body: { errors: [{ pointer }] } });
  });

  it('is refused while four are in force, and loses none of many at once', async () => {
    const { id } = await create();
    const path = `/v1/endpoints/${id}/secrets/rotate`;
    const statuses = (await Promise.all([1, 2, 3, 4, 5].map(() => api.call('POST', path)))).map(({ status }) => status);
    expect(statuses.toSorted((a, b) => a - b)).toEqual([201, 201, 201, 409, 409]);
    const refused = await api.call('POST', path);
    expect(refused.body).toMatchObject({ code: 'too-many-secrets' });
    const all = await secretsOf(id);
    expect(all.filter(({ expiresAt }) => expiresAt === null)).toHaveLength(1);
    expect(all).toHaveLength(4);
    expect((await api.call('GET', `/v1/endpoints/${id}`)).body).toMatchObject({ revision: 4 });
  });
});

describe('a key pair', () => {
  it('signs beside the shared secret as v1a, and its public key is published', async () => {
    const { id } = await create();
    expect((await api.call('GET', `/v1/endpoints/${id}/public-keys`)).body).toEqual({ data: [] });
    const pair = await rotate(id, { kind: 'ed25519' });
    expect(pair).toMatchObject({ kind: 'ed25519', secret: null, replaced: [] });
    const { data } = (await api.call('GET', `/v1/endpoints/${id}/public-keys`)).body as unknown as {
      data: { kid: string; publicKey: string; jwk: object }[];
    };
    expect(data).toMatchObject([{ kid: pair.id, publicKey: pair.publicKey, jwk: { kid: pair.id }, expiresAt: null }]);

    const keys = (await published(id)).map(({ secret }) => signingKey(secret));
    const signed = {
      id: 'i',
      timestamp: '1000',
      signature: signWebhook(keys, 'i', 1_000, Buffer.from('x')),
      body: Buffer.from('x'),
    };
    expect(signed.signature).toMatch(/^v1a,\S+ v1,\S+$/);
    for (const key of [parsePublicKey(pair.publicKey!), createPublicKey({ key: { ...data[0]!.jwk }, format: 'jwk' })]) {
      expect(verifyWebhook([key], signed, 1_000)).toEqual({ ok: true });
    }
  });

  it('is rotated on its own, and may be imported', async () => {
    const { id } = await create();
    const secret = formatPrivateKey(randomBytes(32));
    const first = await rotate(id, { secret });
    expect(first.publicKey).toBe(publicKeyOf(secret));
    const second = await rotate(id, { kind: 'ed25519' });
    expect(second.replaced).toMatchObject([{ id: first.id }]);
    expect((await secretsOf(id)).map(({ kind, expiresAt }) => [kind, expiresAt === null])).toEqual([
      ['ed25519', true],
      ['ed25519', false],
      ['hmac', true],
    ]);
    const { text } = await api.call('GET', `/v1/endpoints/${id}/public-keys`);
    expect(text).not.toContain(secret.slice(5, 40));
    expect(JSON.parse(text)).toMatchObject({ data: [{ kid: second.id }, { kid: first.id }] });
  });
});

describe('the end of a secret', () => {
  it('is at once, and never of the last', async () => {
    const { id } = await create();
    const fresh = await rotate(id);
    const old = (await secretsOf(id))[1]!;
    const last = await api.call('DELETE', `/v1/endpoints/${id}/secrets/${fresh.id}`);
    expect(last).toMatchObject({ status: 409, body: { code: 'last-secret' } });
    expect((await api.call('DELETE', `/v1/endpoints/${id}/secrets/${old.id}`)).status).toBe(204);
    expect((await published(id)).map(({ secret }) => secret)).toEqual([fresh.secret]);
    expect((await api.call('DELETE', `/v1/endpoints/${id}/secrets/${old.id}`)).status).toBe(404);
  });

  it('is not of other secrets than the caller has seen, nor is a rotation', async () => {
    const { id } = await create();
    await rotate(id);
    const path = `/v1/endpoints/${id}/secrets`;
    const seen = (await api.call('GET', path)).headers['etag'] as string;
    expect((await api.call('POST', `${path}/rotate`, {}, { 'if-match': seen })).status).toBe(201);
    const old = (await secretsOf(id))[1]!;
    for (const late of [
      await api.call('DELETE', `${path}/${old.id}`, undefined, { 'if-match': seen }),
      await api.call('POST', `${path}/rotate`, {}, { 'if-match': seen }),
    ])
      expect(late).toMatchObject({ status: 412, body: { code: 'precondition-failed' } });
    const now = (await api.call('GET', path)).headers['etag'] as string;
    expect((await api.call('DELETE', `${path}/${old.id}`, undefined, { 'if-match': now })).status).toBe(204);
  });

  it.each([
    ['GET', '/v1/endpoints/ep_none/secrets'],
    ['POST', '/v1/endpoints/ep_none/secrets/rotate'],
    ['DELETE', '/v1/endpoints/ep_none/secrets/sec_1'],
    ['GET', '/v1/endpoints/ep_none/public-keys'],
    ['GET', '/v1/endpoints/%00/secrets'],
  ])('%s %s: there is none', async (method, path) => {
    expect(await api.call(method, path)).toMatchObject({ status: 404, body: { code: 'not-found' } });
  });
});
