// Real: Nest, Fastify, PostgreSQL, repositories, codec, filters. Doubled: Kafka (InMemoryLog), the schema registry.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { plainContent, type EndpointConfig } from '#libs/contracts';
import { openAuthentication, openClientCertificate, parseMasterKeys, type Authentication } from '#libs/core';
import { connectDatabase, EndpointFaultLog, EndpointRepository } from '#libs/persistence';
import { testAuthority, type Issued, type TestAuthority } from '#libs/testing';
import { testCodec } from '../../test/event-codec.js';
import { startApi, type TestApi } from '../../test/start-api.js';

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
  await api.call('POST', '/v1/tenants', { id: 'acme', name: 'Acme Ltd' });
});
afterAll(() => api.close());

const create = (changes: object = {}) =>
  api.call('POST', '/v1/endpoints', { tenantId: 'acme', url: 'https://example.com/', eventTypes: ['x.*'], ...changes });
const faults = (body: { readonly [name: string]: unknown }): unknown[] =>
  (body['errors'] as { pointer: string; detail: string }[]).map(({ pointer, detail }) => [pointer, detail]);

async function published(id: unknown): Promise<EndpointConfig> {
  const records = api.log.recordsOf(`${api.config.topicPrefix}.endpoints`);
  const record = records.findLast(({ key }) => key?.toString() === id);
  const { codec } = await testCodec();
  return codec.platform.endpointConfig.decode(record?.value ?? Buffer.alloc(0));
}

describe('what an endpoint receives', () => {
  it('is each event as CloudEvents structured JSON unless it says otherwise', async () => {
    const { status, body } = await create();
    expect(status).toBe(201);
    const standard = { format: 'structured', compression: 'none', headers: {}, batch: null, transformationId: null };
    expect(body).toMatchObject({ ...standard, filters: [] });
    const { filters, format, headers, batch } = plainContent;
    expect(await published(body['id'])).toMatchObject({ filters, format, headers, batch });
  });

  it('is stored, answered and published as it was asked for', async () => {
    const asked = {
      filters: [{ prefix: { subject: 'task/' } }, { any: [{ cel: 'data.a == "b"' }, { not: { exact: { id: '1' } } }] }],
      format: 'standard',
      compression: 'gzip',
      headers: { 'X-Region': 'eu', authorization: 'Bearer public' },
      batch: { maxEvents: 10, maxWaitMs: 50 },
    };
    const { status, body } = await create(asked);
    expect(status).toBe(201);
    const stored = {
      ...asked,
      headers: { 'x-region': 'eu', authorization: 'Bearer public' },
      batch: { maxEvents: 10, maxBytes: 262_144, maxWaitMs: 50 },
    };
    expect(body).toMatchObject(stored);
    expect((await api.call('GET', `/v1/endpoints/${String(body['id'])}`)).body).toMatchObject(stored);
    expect(await published(body['id'])).toMatchObject({ ...stored, filters: JSON.stringify(asked.filters) });
  });

  it('is changed member by member, and given back its defaults by null', async () => {
    const { body } = await create({
      filters: [{ exact: { subject: 'a' } }],
      format: 'data',
      headers: { 'x-a': '1', 'x-b': '2' },
      batch: { maxEvents: 7 },
    });
    const path = `/v1/endpoints/${String(body['id'])}`;
    const patched = await api.call('PATCH', path, {
      headers: { 'X-A': null, 'x-c': '3' },
      batch: { maxWaitMs: 9 },
      compression: 'gzip',
    });
    expect(patched.body).toMatchObject({
      filters: [{ exact: { subject: 'a' } }],
      format: 'data',
      headers: { 'x-b': '2', 'x-c': '3' },
      batch: { maxEvents: 7, maxBytes: 262_144, maxWaitMs: 9 },
      compression: 'gzip',
    });
    const none = { filters: null, format: null, headers: null, batch: null, compression: null };
    expect((await api.call('PATCH', path, none)).body).toMatchObject({
      filters: [],
      format: 'structured',
      headers: {},
      batch: null,
      compression: 'none',
    });
  });

  it('holds no text that is none: the database would refuse it', async () => {
    const half = 'a\ud800';
    const odd = { description: half, url: `https://example.com/${half}` };
    const basic = { kind: 'basic', username: half, password: half };
    const refused = await create({ ...odd, authentication: basic });
    const pointers = ['/url', '/description', '/authentication/username', '/authentication/password'];
    const told = expect.stringContaining('half a surrogate pair') as string;
    expect(Object.fromEntries(faults(refused.body) as [string, string][])).toEqual(
      Object.fromEntries(pointers.map((one) => [one, told])),
    );
  });

  it('is changed by two at once without either undoing the other', async () => {
    const { body } = await create({ format: 'data', headers: { 'x-a': '1' } });
    const path = `/v1/endpoints/${String(body['id'])}`;
    const database = await connectDatabase(api.databaseUrl);
    const repository = new EndpointRepository(database);
    const reads = vi.spyOn(EndpointRepository.prototype, 'get').mockImplementationOnce(async (id) => {
      const before = await repository.get(id);
      const other = { compression: 'gzip', batch: { maxEvents: 7 }, headers: { 'x-b': '2' }, format: 'standard' };
      expect((await api.call('PATCH', path, other)).status).toBe(200);
      return before;
    });
    const patched = await api.call('PATCH', path, { description: 'the first to read', timeoutMs: 5_000 });
    const readings = reads.mock.calls.length;
    reads.mockRestore();
    await database.close();
    // Its own twice, the other one's, and the test's.
    expect(readings).toBe(4);
    const both = {
      description: 'the first to read',
      timeoutMs: 5_000,
      compression: 'gzip',
      batch: { maxEvents: 7 },
      headers: { 'x-a': '1', 'x-b': '2' },
      format: 'standard',
    };
    expect(patched).toMatchObject({ status: 200, body: both });
    expect((await api.call('GET', path)).body).toMatchObject(both);
  });

  it('is refused with every fault where it stands', async () => {
    const { status, body } = await create({
      filters: [{ exact: { subject: 'a' } }, { all: [{ cel: 'data.a ==' }] }, { sql: 'x' }],
      headers: { 'webhook-id': 'x', 'x-a': 'a\r\nb' },
      format: 'xml',
      batch: { maxEvents: 0 },
    });
    expect(status).toBe(422);
    const pointers = faults(body).map((fault) => (fault as [string])[0]);
    expect(pointers).toEqual(expect.arrayContaining(['/filters/1/all/0/cel', '/format', '/batch/maxEvents']));
    const headers = await create({ headers: { 'webhook-id': 'x', 'x-a': 'a\r\nb' } });
    expect(faults(headers.body)).toEqual([
      ['/headers/webhook-id', expect.stringContaining('set by Posthorn')],
      ['/headers/x-a', expect.stringContaining('without line breaks')],
    ]);
  });

  it('shows what dispatchers counted of its filters and its transformation', async () => {
    const { body } = await create();
    const path = `/v1/endpoints/${String(body['id'])}`;
    expect((await api.call('GET', path)).body).toMatchObject({ faults: [] });
    const database = await connectDatabase(api.databaseUrl);
    const lastAt = Date.parse('2026-01-02T03:04:05.678Z');
    const fault = {
      endpointId: String(body['id']),
      kind: 'filter',
      count: 3,
      lastAt,
      lastDetail: 'no such key: a',
    } as const;
    await new EndpointFaultLog(database).addFaults([fault]);
    await database.close();
    expect((await api.call('GET', path)).body).toMatchObject({
      faults: [{ kind: 'filter', count: 3, lastAt: '2026-01-02T03:04:05.678Z', lastDetail: 'no such key: a' }],
    });
  });

  it('is no batch in binary mode, which has none, whichever of the two comes last', async () => {
    const refused = await create({ format: 'binary', batch: {} });
    expect(refused.status).toBe(422);
    expect(faults(refused.body)).toEqual([['/batch', expect.stringContaining('has no batches')]]);
    const { body } = await create({ format: 'binary' });
    const patched = await api.call('PATCH', `/v1/endpoints/${String(body['id'])}`, { batch: { maxEvents: 2 } });
    expect(patched.status).toBe(422);
  });
});

describe('what an endpoint is shown beside the signatures', () => {
  let authority: TestAuthority;
  let client: Issued;
  beforeAll(async () => {
    authority = await testAuthority('Test CA');
    client = await authority.issue('posthorn');
  });

  const hidden = { token: 'hush-token', password: 'hush-password', value: 'hush-value', clientSecret: 'hush-client' };
  const fixed = [
    [{ kind: 'bearer', token: hidden.token }, { kind: 'bearer' }],
    [
      { kind: 'basic', username: 'posthorn', password: hidden.password },
      { kind: 'basic', username: 'posthorn' },
    ],
    [
      { kind: 'header', name: 'X-Api-Key', value: hidden.value },
      { kind: 'header', name: 'x-api-key' },
    ],
    [
      { kind: 'oauth2', tokenUrl: 'https://auth.example.com/t', clientId: 'id', clientSecret: hidden.clientSecret },
      {
        kind: 'oauth2',
        tokenUrl: 'https://auth.example.com/t',
        clientId: 'id',
        scope: null,
        audience: null,
        clientAuthentication: 'basic',
      },
    ],
  ] as const;
  const keys = () => parseMasterKeys(api.config.masterKeys);
  const pathOf = (body: object): string => `/v1/endpoints/${String((body as { id: unknown }).id)}`;

  it.each(fixed)('is %j: sealed for workers, shown without its secret', async (authentication, shown) => {
    const { status, body } = await create({ authentication });
    expect(status).toBe(201);
    const setAt = expect.stringMatching(/^20\d\d-/) as string;
    expect(body['authentication']).toEqual({ ...shown, setAt });
    expect((await api.call('GET', pathOf(body))).body['authentication']).toEqual({ ...shown, setAt });
    const { sealedAuthentication, ...rest } = await published(body['id']);
    const opened = openAuthentication(keys(), sealedAuthentication ?? '', String(body['id']));
    expect(opened).toMatchObject({ ...authentication, ...shown } satisfies Partial<Authentication>);
    expect(JSON.stringify(rest)).not.toContain('hush');
  });

  it('stays with a patch that does not name it, shows when it was given anew, and is taken away by null', async () => {
    const { body } = await create({ authentication: fixed[0][0], caCertificates: authority.ca });
    const path = pathOf(body);
    const before = await published(body['id']);
    const kept = await api.call('PATCH', path, { description: 'x', url: 'https://example.com/other' });
    expect(kept.body).toMatchObject({ authentication: body['authentication'], caCertificates: body['caCertificates'] });
    await api.call('PATCH', path, { authentication: { kind: 'bearer', token: `${hidden.token}-2` } });
    const after = await published(body['id']);
    expect(after.sealedAuthentication).not.toBe(before.sealedAuthentication);
    const history = await api.call('GET', `${path}/history`);
    const [latest] = history.body['data'] as unknown as { changes: { field: string }[]; configuration: object }[];
    expect(latest?.changes.map(({ field }) => field)).toEqual(['authentication.setAt']);
    expect(latest?.configuration).toMatchObject({ authentication: { kind: 'bearer' } });
    const none = { authentication: null, caCertificates: null };
    expect((await api.call('PATCH', path, none)).body).toMatchObject({ ...none, clientCertificate: null });
    expect(await published(body['id'])).toMatchObject({ sealedAuthentication: null, caPem: null });
  });

  it('is a client certificate, and a CA that it must show itself', async () => {
    const clientCertificate = { certificate: `${client.cert}\n${authority.ca}`, privateKey: client.key };
    const { status, body } = await create({ clientCertificate, caCertificates: authority.ca });
    expect(status).toBe(201);
    expect(body['clientCertificate']).toMatchObject({ subject: 'CN=posthorn', issuer: 'CN=Test CA' });
    expect(body['caCertificates']).toMatchObject([
      { subject: 'CN=Test CA', fingerprint: expect.any(String) as string },
    ]);
    expect(JSON.stringify(body)).not.toContain('-----');
    const { sealedClientCertificate, caPem } = await published(body['id']);
    const opened = openClientCertificate(keys(), sealedClientCertificate ?? '', String(body['id']));
    expect(opened.privateKey).toBe(client.key);
    expect(opened.certificate.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
    expect(caPem).toContain('BEGIN CERTIFICATE');
  });

  it('is refused with every fault where it stands, and nothing of it is repeated', async () => {
    const other = await authority.issue('other');
    const expired = await authority.issue('expired', [], -1);
    const certificate = (cert: string, privateKey: string) =>
      create({ clientCertificate: { certificate: cert, privateKey } });
    const refusals: [Awaited<ReturnType<typeof create>>, string, string][] = [
      [await create({ authentication: { kind: 'bearer', token: 'a b' } }), '/authentication/token', 'without spaces'],
      [
        await create({ authentication: { kind: 'basic', username: 'a:b', password: 'p' } }),
        '/authentication/username',
        'colon',
      ],
      [
        await create({ authentication: { kind: 'header', name: 'webhook-id', value: 'v' } }),
        '/authentication/name',
        'set by Posthorn',
      ],
      [
        await create({ authentication: { kind: 'header', name: 'x', value: 'a\r\nb' } }),
        '/authentication/value',
        'line breaks',
      ],
      [
        await create({ authentication: { ...fixed[3][0], tokenUrl: 'https://127.0.0.1/' } }),
        '/authentication/tokenUrl',
        'loopback',
      ],
      [
        await create({ authentication: { ...fixed[3][0], tokenUrl: 'https://a:b@c.example/' } }),
        '/authentication/tokenUrl',
        'user name',
      ],
      [await create({ authentication: { kind: 'bearer' } }), '/authentication/token', 'must be given'],
      [
        await certificate(client.cert, other.key),
        '/clientCertificate/privateKey',
        'does not belong to the certificate',
      ],
      [await certificate(expired.cert, expired.key), '/clientCertificate/certificate', 'has expired on'],
      [await certificate('hush', client.key), '/clientCertificate/certificate', 'must be PEM'],
      [await certificate(client.cert, 'hush'), '/clientCertificate/privateKey', 'not a private key'],
      [await create({ caCertificates: `${client.cert}${client.key}` }), '/caCertificates', 'private key among them'],
      [await create({ authentication: fixed[0][0], headers: { Authorization: 'x' } }), '/authentication', 'twice'],
    ];
    for (const [{ status, body, text }, pointer, detail] of refusals) {
      expect([status, faults(body)]).toEqual([422, [[pointer, expect.stringContaining(detail)]]]);
      expect(text).not.toContain('hush');
    }
    const both = await create({ clientCertificate: { certificate: 'x', privateKey: 'y' }, caCertificates: 'z' });
    expect(faults(both.body)).toHaveLength(2);
  });

  it('does not follow the URL to another origin unless it is given anew', async () => {
    const { body } = await create({ authentication: fixed[0][0] });
    const path = pathOf(body);
    const url = 'https://elsewhere.example/';
    const moved = await api.call('PATCH', path, { url });
    expect(moved.status).toBe(422);
    expect(faults(moved.body)).toEqual([['/authentication', expect.stringContaining('Is for https://example.com')]]);
    expect((await api.call('PATCH', path, { url, authentication: fixed[1][0] })).status).toBe(200);
    expect((await api.call('PATCH', path, { url: 'https://third.example/', authentication: null })).status).toBe(200);
    expect((await api.call('PATCH', path, { url })).status).toBe(200);
    await api.call('PATCH', path, { authentication: fixed[0][0] });
    const header = await api.call('PATCH', path, { headers: { authorization: 'x' } });
    expect(faults(header.body)).toEqual([['/headers', expect.stringContaining('authorization twice')]]);
  });

  it('invariant 8: stands nowhere in the database, the log or an answer', async () => {
    const database = await connectDatabase(api.databaseUrl);
    const tables: { name: string }[] = await database.session.query(
      `SELECT quote_ident(table_name) AS name FROM information_schema.tables WHERE table_schema = current_schema()`,
    );
    const texts: string[] = [];
    for (const { name } of tables) {
      const rows: { row: string }[] = await database.session.query(`SELECT t::text AS row FROM ${name} t`);
      texts.push(...rows.map(({ row }) => row));
    }
    await database.close();
    const { topicPrefix } = api.config;
    for (const topic of ['endpoints', 'audit'])
      texts.push(...api.log.recordsOf(`${topicPrefix}.${topic}`).map(({ value }) => value?.toString('latin1') ?? ''));
    texts.push((await api.call('GET', '/v1/endpoints')).text);
    expect(texts.some((text) => text.includes('CN=posthorn'))).toBe(true);
    const needles = [...Object.values(hidden), client.key.split('\n')[1] ?? '', 'PRIVATE KEY'];
    const found = needles.filter((needle) => texts.some((text) => text.includes(needle)));
    expect(found).toEqual([]);
  });
});
