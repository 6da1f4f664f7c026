// Real: Nest, Fastify, PostgreSQL, the guarded sender, receivers over HTTP. Doubled: Kafka (InMemoryLog), the schema registry.
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { EndpointConfig } from '#libs/contracts';
import { parseSecret, verifyWebhook } from '#libs/core';
import { connectDatabase, EndpointRepository, EndpointVerifications, type Database } from '#libs/persistence';
import { RecordingReceiver, verificationAnswer, type AnswerProgram, type ReceiverAnswer } from '#libs/testing';
import { testCodec } from '../../test/event-codec.js';
import { startApi, type TestApi } from '../../test/start-api.js';
import { Verify } from './verify.js';

const origin = 'hooks.example.com';
const settings = {
  POSTHORN_ALLOW_HTTP: 'true',
  POSTHORN_ALLOWED_RANGES: '127.0.0.1/32',
  POSTHORN_VERIFICATION: 'any',
  POSTHORN_WEBHOOK_ORIGIN: origin,
  POSTHORN_PUBLIC_URL: 'https://posthorn.example/',
};
const willing: AnswerProgram = (request) => verificationAnswer(request) ?? {};
const deaf: AnswerProgram = () => ({ status: 404 });

let api: TestApi;
let database: Database;
let receiver: RecordingReceiver;
let tenantKey = '';

beforeAll(async () => {
  api = await startApi(settings);
  await api.call('POST', '/v1/tenants', { id: 'acme', name: 'Acme Ltd' });
  database = await connectDatabase(api.databaseUrl);
  const key = await api.call('POST', '/v1/keys', { name: 'k', tenantId: 'acme', scopes: ['*'] });
  tenantKey = `Bearer ${String(key.body['key'])}`;
});
afterAll(async () => {
  await database?.close();
  await api?.close();
});
beforeEach(async () => {
  receiver = await RecordingReceiver.start(willing);
});
afterEach(() => receiver.close());

interface Known {
  readonly id: string;
  readonly path: string;
  readonly secret: string;
}

async function create(changes: object = {}, headers: Record<string, string> = {}, at = api): Promise<Known> {
  const url = `${receiver.url}/in?x=1`;
  const body = { tenantId: 'acme', url, eventTypes: ['*'], ...changes };
  const answer = await at.call('POST', '/v1/endpoints', body, headers);
  expect(answer.status).toBe(201);
  const id = String(answer.body['id']);
  return { id, path: `/v1/endpoints/${id}`, secret: String(answer.body['secret']) };
}

interface Answer {
  readonly verification: { readonly state: string; readonly reason: string | null; readonly method: string } | null;
  readonly tries: number;
  readonly nextTryAt: string | null;
  readonly last: {
    readonly request: { readonly method: string; readonly headers: Record<string, string>; readonly body: string };
    readonly response: { readonly status: number; readonly body: string } | null;
    readonly error: { readonly kind: string } | null;
  } | null;
}
const stateOf = async ({ path }: Known, at = api): Promise<Answer> =>
  (await at.call('GET', `${path}/verification`)).body as unknown as Answer;
/** Tried to the end, and published. */
const until = (known: Known, state: string, at = api): Promise<Answer> =>
  vi.waitUntil(
    async () => {
      const answer = await stateOf(known, at);
      return answer.verification?.state === state ? answer : null;
    },
    { timeout: 10_000, interval: 20 },
  );
const verify = async ({ path }: Known, headers: Record<string, string> = {}) => {
  // What was tried a moment ago is not tried at once.
  const answer = await vi.waitUntil(
    async () => {
      const one = await api.call('POST', `${path}/verify`, undefined, headers);
      return one.body['code'] === 'verification-under-way' ? null : one;
    },
    { timeout: 10_000, interval: 100 },
  );
  return { status: answer.status, body: answer.body as unknown as Answer };
};

/** Every record of an endpoint in the topic, oldest first. */
async function published({ id }: Known): Promise<EndpointConfig[]> {
  const { codec } = await testCodec();
  const records = api.log.recordsOf(`${api.config.topicPrefix}.endpoints`).filter(({ key }) => key?.toString() === id);
  return records.map(({ value }) => codec.platform.endpointConfig.decode(value ?? Buffer.alloc(0)));
}

/** The last of them, once it says that it may be sent to: the answer may be there before. */
const untilSentTo = (known: Known): Promise<EndpointConfig> =>
  vi.waitUntil(async () => (await published(known)).find(({ state }) => state === 'active'), {
    timeout: 10_000,
    interval: 20,
  });

describe('a handshake', () => {
  it('asks by OPTIONS for the origin and the rate, and has what is allowed obeyed', async () => {
    receiver.program = (request) => verificationAnswer(request, '120') ?? {};
    const known = await create({
      verification: { method: 'handshake' },
      rateLimit: { limit: 10, per: 'second', burst: 1 },
      headers: { 'x-region': 'eu' },
    });
    await until(known, 'verified');
    expect(receiver.requests).toHaveLength(1);
    const [request] = receiver.requests;
    expect(request).toMatchObject({ method: 'OPTIONS', path: '/in?x=1' });
    expect(request?.headers).toMatchObject({
      'webhook-request-origin': origin,
      'webhook-request-rate': '600',
      'x-region': 'eu',
    });
    const sentTo = await untilSentTo(known);
    expect((await published(known))[0]).toMatchObject({
      state: 'paused',
      awaitsVerification: true,
      requestOrigin: null,
    });
    expect(sentTo).toMatchObject({
      awaitsVerification: false,
      requestOrigin: origin,
      rateLimit: { limit: 120, per: 'minute', burst: 1 },
    });
    // To its owner the limit is as it was set.
    expect((await api.call('GET', known.path)).body).toMatchObject({
      rateLimit: { limit: 10, per: 'second', burst: 1 },
      verification: { method: 'handshake', state: 'verified', reason: null, allowedRate: 120 },
    });
  });

  it.each<[string, ReceiverAnswer, object]>([
    ['origin-missing', { status: 200, headers: { allow: 'POST' } }, {}],
    ['status', { status: 405 }, {}],
    ['status', { status: 302, headers: { location: '/elsewhere' } }, {}],
    ['origin-other', { headers: { 'webhook-allowed-origin': 'other.example' } }, {}],
    [
      'rate-missing',
      { headers: { 'webhook-allowed-origin': '*' } },
      { rateLimit: { limit: 1, per: 'second', burst: 1 } },
    ],
    ['rate-invalid', { headers: { 'webhook-allowed-origin': '*', 'webhook-allowed-rate': '0' } }, {}],
    ['reset', { kind: 'cut' }, {}],
  ])('fails for the reason %s', async (reason, answer, changes) => {
    receiver.program = () => answer;
    const known = await create({ verification: { method: 'handshake' }, ...changes });
    const { verification, nextTryAt } = await until(known, 'failed');
    expect(verification).toMatchObject({ method: 'handshake', reason });
    expect(nextTryAt).not.toBeNull();
    expect(receiver.requests).toHaveLength(1);
    expect((await published(known)).every(({ state }) => state === 'paused')).toBe(true);
  });
});

describe('a challenge', () => {
  it('is a signed POST, which the receiver echoes', async () => {
    const known = await create();
    await until(known, 'verified');
    expect(receiver.requests).toHaveLength(1);
    const [request] = receiver.requests;
    if (request === undefined) throw new Error('nothing came');
    const { headers, body } = request;
    const given = (name: string): string => String(headers[name]);
    const signed = {
      id: given('webhook-id'),
      timestamp: given('webhook-timestamp'),
      signature: given('webhook-signature'),
      body,
    };
    expect(verifyWebhook([parseSecret(known.secret)], signed, Math.floor(Date.now() / 1_000))).toEqual({ ok: true });
    expect(JSON.parse(body.toString())).toMatchObject({ type: 'posthorn.endpoint.verification' });
    expect(await untilSentTo(known)).toMatchObject({ awaitsVerification: false, requestOrigin: null });
  });

  it.each<[string, AnswerProgram, object]>([
    ['status', () => ({ status: 401, body: 'x' }), {}],
    ['no-echo', () => ({ status: 204 }), {}],
    ['wrong-echo', () => ({ status: 200, body: 'ok' }), {}],
    ['no-echo', ({ body }) => ({ status: 200, body }), {}],
    ['total-timeout', () => ({ kind: 'never' }), { timeoutMs: 200 }],
    ['dns', willing, { url: 'http://nowhere.invalid/' }],
  ])('fails for the reason %s', async (reason, program, changes) => {
    receiver.program = program;
    const known = await create(changes);
    expect((await until(known, 'failed')).verification).toMatchObject({ method: 'challenge', reason });
  });
});

const echoing = (answer: ReceiverAnswer, credential: string): ReceiverAnswer => ({
  ...answer,
  ...('headers' in answer ? { headers: { ...answer.headers, 'x-echo': credential } } : {}),
});

it('shows the endpoint what a delivery would, a token too, and keeps none of it', async () => {
  const token = 'issued-token-of-the-test';
  receiver.program = (request) => {
    if (request.path === '/token')
      return { status: 200, body: JSON.stringify({ access_token: token, token_type: 'Bearer' }) };
    const { authorization } = request.headers;
    return authorization === undefined ? { status: 401 } : echoing(verificationAnswer(request) ?? {}, authorization);
  };
  const client = { clientId: 'posthorn', clientSecret: 'hush-client-secret' };
  const wanted = [
    { kind: 'bearer', token: 'hush-token-of-the-test' },
    { kind: 'oauth2', tokenUrl: `${receiver.url}/token`, ...client },
  ];
  for (const authentication of wanted) {
    const { last } = await until(await create({ authentication }), 'verified');
    expect(last?.request.headers['authorization']).toBe('[hidden]');
    expect(JSON.stringify(last)).not.toMatch(/hush|issued-token/);
  }
  const refused = { kind: 'oauth2', tokenUrl: `${receiver.url}/none`, ...client };
  const { verification } = await until(await create({ authentication: refused }), 'failed');
  expect(verification?.reason).toBe('auth-token');
});

it('goes where the guard lets it, and nowhere else', async () => {
  const known = await create();
  await until(known, 'verified');
  // What a URL may be is looked at when it is given, too.
  for (const url of ['http://127.0.0.9:8080/', 'http://[::ffff:127.0.0.9]:8080/']) {
    await new EndpointRepository(database).update(known.id, { url }, { now: Date.now() });
    expect((await verify(known)).body.verification).toMatchObject({ state: 'failed', reason: 'guard' });
  }
});

describe('POST verify', () => {
  it('answers with what was sent and what came, and sends nothing more once it is verified', async () => {
    receiver.program = deaf;
    const known = await create();
    await until(known, 'failed');
    const failed = await verify(known);
    expect(failed).toMatchObject({ status: 200, body: { verification: { state: 'failed', reason: 'status' } } });
    expect(failed.body.last).toMatchObject({ request: { method: 'POST' }, response: { status: 404 }, error: null });
    receiver.program = willing;
    const verified = await verify(known);
    expect(verified.body).toMatchObject({ verification: { state: 'verified' }, nextTryAt: null });
    const { last } = verified.body;
    const { data } = JSON.parse(last?.request.body ?? '') as { data: { challenge: string } };
    expect(JSON.parse(last?.response?.body ?? '')).toEqual(data);
    const sent = receiver.requests.length;
    expect((await verify(known)).body).toEqual(verified.body);
    expect(receiver.requests).toHaveLength(sent);
  });

  it('is refused while another is at it, and where there is nothing to verify', async () => {
    receiver.program = () => ({ status: 404, delayMs: 300 });
    const known = await create();
    await receiver.waitFor(1);
    const keyed = { 'idempotency-key': 'busy' };
    const busy = await api.call('POST', `${known.path}/verify`, undefined, keyed);
    expect(busy).toMatchObject({ status: 409, body: { code: 'verification-under-way' } });
    expect(busy.headers['retry-after']).toBe('2');
    await until(known, 'failed');
    // Who comes again as it was told to is not answered the same for a day.
    expect(await verify(known, keyed)).toMatchObject({ status: 200, body: { verification: { state: 'failed' } } });
    const missing = await api.call('POST', '/v1/endpoints/ep_none/verify');
    expect(missing).toMatchObject({ status: 404, body: { code: 'not-found' } });
    const old = await oldEndpoint();
    expect(await api.call('POST', `${old.path}/verify`)).toMatchObject({
      status: 409,
      body: { code: 'no-verification' },
    });
    expect(await stateOf(old)).toEqual({ verification: null, tries: 0, nextTryAt: null, last: null });
  });

  it('says in the audit log who asked; what is tried by itself is Posthorn’s', async () => {
    receiver.program = deaf;
    const known = await create({}, { authorization: tenantKey });
    await until(known, 'failed');
    receiver.program = willing;
    await verify(known, { authorization: tenantKey });
    const { body } = await api.call('GET', `/v1/audit?resource=endpoint/${known.id}`);
    const entries = body['data'] as unknown as { action: string; actor: { kind: string } }[];
    expect(entries.map(({ action, actor }) => `${action} ${actor.kind}`).toSorted()).toEqual([
      'endpoint.created tenant',
      'endpoint.verification-failed system',
      'endpoint.verification-requested tenant',
      'endpoint.verified tenant',
    ]);
  });
});

/** As it was before the operator asked for verification. */
async function oldEndpoint(): Promise<Known> {
  const known = await create();
  await new EndpointRepository(database).update(known.id, { verification: null }, { now: Date.now() });
  receiver.requests.length = 0;
  return known;
}

/** Tries of this process that were for a URL that had been replaced. */
async function voids(): Promise<number> {
  const { text } = await api.call('GET', '/metrics');
  return Number(/verifications_total\{[^}]*result="void"[^}]*\} (\d+)/.exec(text)?.[1] ?? 0);
}

describe('a new URL', () => {
  it('gets nothing before it is verified', async () => {
    const known = await create();
    await until(known, 'verified');
    const other = await RecordingReceiver.start(deaf);
    try {
      const url = `${other.url}/new`;
      expect((await api.call('PATCH', known.path, { url })).body).toMatchObject({
        verification: { state: 'unverified' },
      });
      await until(known, 'failed');
      expect((await api.call('GET', `${known.path}/backlog`)).body).toMatchObject({ state: 'pausing' });
      other.program = willing;
      await verify(known);
      const fresh = (await published(known)).filter((one) => one.url === url);
      // Of states that follow each other quickly only the last is published.
      expect(fresh.map(({ state }) => state).join()).toMatch(/^(paused,)+active$/);
      // Nobody was ever told to send to it before.
      expect((await published(known)).filter((one) => one.url === url && one.state === 'active')).toHaveLength(1);
    } finally {
      await other.close();
    }
  });

  it('of an endpoint from before has to be verified, other changes do not', async () => {
    const old = await oldEndpoint();
    await api.call('PATCH', old.path, { description: 'x', url: `${receiver.url}/in?x=1` });
    expect((await stateOf(old)).verification).toBeNull();
    await api.call('PATCH', old.path, { url: `${receiver.url}/other` });
    expect((await until(old, 'verified')).verification?.method).toBe('challenge');
  });

  it('makes void what the old one answers', async () => {
    receiver.program = (request) =>
      request.path === '/slow' ? { ...verificationAnswer(request), delayMs: 400 } : { status: 404 };
    const before = await voids();
    const known = await create({ url: `${receiver.url}/slow` });
    await receiver.waitFor(1);
    await api.call('PATCH', known.path, { url: `${receiver.url}/new` });
    await until(known, 'failed');
    await vi.waitUntil(async () => (await voids()) > before, { timeout: 10_000, interval: 50 });
    expect((await stateOf(known)).verification?.state).toBe('failed');
  });
});

it('is tried once, by one of two processes', async () => {
  const counted: string[] = [];
  const other = new Verify({
    endpoints: new EndpointRepository(database),
    verifications: new EndpointVerifications(database),
    asking: {
      ask({ endpointId }) {
        counted.push(endpointId);
        return Promise.resolve({ verdict: { verified: true, allowedRate: null }, origin: null, exchange: null });
      },
    },
    publication: { published: () => Promise.resolve() },
    counts: { endpointVerification: () => undefined },
    now: Date.now,
    newId: randomUUID,
  });
  let made = false;
  const race = (async () => {
    while (!made) await Promise.all(await other.due(16));
  })();
  const known = await Promise.all(Array.from({ length: 24 }, (_, n) => create({ url: `${receiver.url}/race-${n}` })));
  for (const one of known) await until(one, 'verified');
  made = true;
  await race;
  // Others, of earlier tests, may be tried again meanwhile.
  const byOther = counted.filter((id) => known.some((one) => one.id === id));
  const byApi = receiver.requests.filter(({ path }) => path.startsWith('/race-'));
  expect(byOther.length + byApi.length).toBe(24);
  expect((await Promise.all(known.map((one) => stateOf(one)))).map(({ tries }) => tries)).toEqual(known.map(() => 1));
});

describe('a callback', () => {
  const offered = async (known: Known): Promise<string> => {
    await until(known, 'failed');
    const callback = String(receiver.requests.at(-1)?.headers['webhook-request-callback']);
    expect(callback).toMatch(/^https:\/\/posthorn\.example\/verifications\/[\w.-]+$/);
    return new URL(callback).pathname;
  };
  const anonymous = { authorization: '' };

  it('allows deliveries without a key, at the rate that it names, and is nowhere shown', async () => {
    // It repeats all that it was sent.
    receiver.program = ({ headers }) => ({
      status: 200,
      headers: { location: String(headers['webhook-request-callback']) },
      body: JSON.stringify(headers),
    });
    const known = await create({ verification: { method: 'handshake' } });
    const path = await offered(known);
    const token = path.split('/').at(-1) ?? '';
    const shown = await api.call('GET', `${known.path}/verification`);
    expect(shown.body).toMatchObject({ last: { request: { headers: { 'webhook-request-callback': '[hidden]' } } } });
    const rows: unknown = await database.session.query(
      'SELECT e::text AS e, v::text AS v FROM endpoints e JOIN endpoint_verifications v ON v.endpoint_id = e.id',
    );
    expect(shown.text + JSON.stringify(rows)).not.toContain(token.split('.').at(-1));

    const wrong = await api.call('POST', path, undefined, { ...anonymous, 'webhook-allowed-rate': 'many' });
    expect(wrong).toMatchObject({ status: 400, body: { code: 'invalid-parameter' } });
    const taken = await api.call('POST', path, undefined, { ...anonymous, 'webhook-allowed-rate': '30' });
    expect(taken).toMatchObject({ status: 200, body: { state: 'verified' } });
    expect((await published(known)).at(-1)).toMatchObject({
      state: 'active',
      requestOrigin: origin,
      rateLimit: { limit: 30, per: 'minute', burst: 1 },
    });
    // Whatever a receiver's client sends by itself.
    for (const type of ['application/x-www-form-urlencoded', 'text/plain']) {
      for (const body of ['', 'a=b']) {
        expect(await api.call('POST', path, body, { ...anonymous, 'content-type': type })).toMatchObject({
          status: 200,
        });
      }
    }
    // A person may open it again.
    expect(await api.call('GET', path, undefined, anonymous)).toMatchObject({ status: 200 });
    const { body } = await api.call('GET', `/v1/audit?resource=endpoint/${known.id}&limit=1`);
    expect(body['data']).toMatchObject([{ action: 'endpoint.verified', actor: { name: 'callback of the receiver' } }]);
  });

  it('is void for another URL, and cannot be guessed', async () => {
    receiver.program = () => ({ status: 200 });
    const known = await create({ verification: { method: 'handshake' } });
    const path = await offered(known);
    await api.call('PATCH', known.path, { url: `${receiver.url}/other` });
    for (const one of [path, '/verifications/x', `${path.slice(0, -4)}AAAA`]) {
      const answer = await api.call('GET', one, undefined, anonymous);
      expect(answer).toMatchObject({ status: 404, body: { code: 'not-found' } });
    }
    expect((await stateOf(known)).verification?.state).not.toBe('verified');
  });
});

describe('an operator who asks for the handshake', () => {
  it('gets it, whatever endpoints ask for', async () => {
    const strict = await startApi({ ...settings, POSTHORN_VERIFICATION: 'handshake', POSTHORN_PUBLIC_URL: '' });
    try {
      await strict.call('POST', '/v1/tenants', { id: 'acme', name: 'Acme Ltd' });
      const known = await create({}, {}, strict);
      await until(known, 'verified', strict);
      expect(receiver.requests.map(({ method }) => method)).toEqual(['OPTIONS']);
      expect(receiver.requests[0]?.headers).not.toHaveProperty('webhook-request-callback');
      const other = await strict.call('PATCH', known.path, { verification: { method: 'challenge' } });
      expect(other).toMatchObject({ status: 422, body: { errors: [{ pointer: '/verification/method' }] } });
      const none = await strict.call('PATCH', known.path, { verification: null });
      expect(none.body).toMatchObject({ verification: { method: 'handshake', state: 'verified' } });
    } finally {
      await strict.close();
    }
  });
});
