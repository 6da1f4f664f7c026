import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { AppName } from '#libs/app-processes';
import { formatSecret, parsePublicKey, parseSecret, verifyWebhook, type VerifyingKey } from '#libs/core';
import { PlatformUnderTest, type EndpointUnderTest } from './platform-under-test.js';
import { comment, sampleEvents, type UpstreamService } from './sample-events.js';
import { useMasterKeys } from './secrecy/left-behind.js';
import { useSecret } from './secrecy/secrets-in-use.js';
import { SecuredReceiver } from './secured-receiver.js';

const overlapSeconds = 4;
const eventsPerSecond = 100;
const bearerToken = randomBytes(24).toString('base64url');

interface Rotated {
  readonly secret: string | null;
  readonly replaced: readonly { readonly expiresAt: string }[];
}

/**
 * Rotation under load: the shared secret, a key pair and the master key change while 100 events/s are on their way to two
 * receivers that do as docs/receiving.md says. One knows the shared secret alone, the other the published keys alone.
 * Real: the apps as processes, restarted one by one; broker, registry, database, HTTP. Doubled: nothing.
 */
describe('a rotation under load', () => {
  let test: PlatformUnderTest;
  let upstream: UpstreamService;
  let shared: Receiver;
  let pairs: Receiver;

  beforeAll(async () => {
    test = await PlatformUnderTest.start();
    upstream = await test.upstream();
    const given = formatSecret(randomBytes(32));
    shared = await Receiver.start(test, { secret: given, authentication: { kind: 'bearer', token: bearerToken } });
    shared.keys = [parseSecret(given)];
    pairs = await Receiver.start(test);
    await rotate(pairs, { kind: 'ed25519' });
    await pairs.fetchKeys();
    // Endpoints, and what they sign with, are known to all within a moment.
    await sleep(2_000);
  });
  afterAll(async () => {
    await upstream?.close();
    await test?.stop();
  });

  async function rotate({ endpoint }: Receiver, body: object): Promise<Rotated> {
    const path = `/v1/endpoints/${endpoint.endpointId}/secrets/rotate`;
    const answer = await test.platform.request<Rotated>('POST', path, body);
    expect(answer.status).toBe(201);
    return answer.body;
  }
  /** The steps of the guide: add the new key, keep the old one to the end of the overlap, then drop it. */
  async function rotateShared(): Promise<void> {
    const { secret, replaced } = await rotate(shared, { overlapSeconds });
    await sleep(1_000);
    const fresh = parseSecret(secret ?? '');
    shared.keys = [...shared.keys, fresh];
    await sleep(Date.parse(replaced[0]!.expiresAt) - Date.now() + 1_000);
    shared.keys = [fresh];
  }
  async function rotatePair(): Promise<void> {
    await rotate(pairs, { kind: 'ed25519', overlapSeconds });
    await sleep(1_000);
    await pairs.fetchKeys();
  }
  /** One more of an app, then the one before it ends: nobody waits. */
  async function replace(name: AppName): Promise<void> {
    const before = test.platform.of(name);
    await test.platform.launch(name);
    await test.platform.terminate(before);
  }
  const restart = async (masterKeys: string): Promise<void> => {
    test.platform.change({ POSTHORN_MASTER_KEYS: masterKeys });
    await replace('worker');
    await replace('api');
  };

  it('fails no verification, loses nothing, and ends with the new master key alone', async () => {
    const load = new Load(upstream);
    const old = test.platform.masterKeys;
    const fresh = `2:${randomBytes(32).toString('base64')}`;
    useMasterKeys(fresh);

    await load.during(async () => {
      await Promise.all([rotateShared(), rotatePair(), restart(`${old},${fresh}`)]);
      const [said] = await Promise.all([test.platform.cli('secrets', 'reencrypt'), rotateShared(), rotatePair()]);
      expect(said).toMatch(/secrets of 2 endpoints are sealed with master key 2 now/);
      // What was rotated meanwhile was sealed with the new key from the start.
      const again = await vi.waitUntil(
        async () =>
          /^(?=[^]* by 0 secrets)(?=[^]*may be taken out)[^]*/.exec(await test.platform.cli('secrets', 'reencrypt')),
        { timeout: 20_000, interval: 500 },
      );
      expect(again[0]).toMatch(/^0 secrets of 0 endpoints/);
      await restart(fresh);
    });

    const { sent } = load;
    for (const { endpoint, failures } of [shared, pairs]) {
      const arrived = () =>
        new Set(endpoint.receiver.requests.map(({ body }) => (JSON.parse(String(body)) as { id: string }).id));
      await vi.waitUntil(() => arrived().size === sent, { timeout: 30_000, interval: 200 });
      expect(failures).toEqual([]);
    }
    const shown = new Set(shared.endpoint.receiver.requests.map(({ headers }) => headers.authorization));
    expect([...shown]).toEqual([`Bearer ${bearerToken}`]);
    // Each overlap was seen: both signatures, then one again.
    expect(shared.signatures()).toEqual(new Set(['v1', 'v1 v1']));
    expect(pairs.signatures()).toEqual(new Set(['v1a v1', 'v1a v1a v1']));
    expect(sent).toBeGreaterThan(10 * eventsPerSecond);
  });

  it('shows endpoints what they ask for: tokens fetched once, certificates over connections of their own', async () => {
    const secured = await SecuredReceiver.start();
    const [one, two] = secured.clients.map(({ cert: certificate, key: privateKey }) => ({ certificate, privateKey }));
    const [password, value, clientSecret] = [18, 18, 18].map((bytes) => randomBytes(bytes).toString('base64url'));
    // The others come by themselves.
    useSecret('value of a header', value!);
    const tls = { caCertificates: secured.ca, clientCertificate: one };
    const oauth2 = { kind: 'oauth2', tokenUrl: `${secured.url}/token`, clientId: 'posthorn', clientSecret };
    const wanted: Readonly<Record<string, object>> = {
      '/oauth2': { ...tls, authentication: oauth2 },
      '/basic': { ...tls, clientCertificate: two, authentication: { kind: 'basic', username: 'posthorn', password } },
      '/header': { ...tls, clientCertificate: two, authentication: { kind: 'header', name: 'x-api-key', value } },
      '/none': tls,
      // Its authority is none of the public ones.
      '/unknown': { clientCertificate: one },
    };
    const ids = new Map<string, string>();
    for (const [path, body] of Object.entries(wanted)) {
      const given = {
        tenantId: test.tenantId,
        url: secured.url + path,
        eventTypes: ['task.*'],
        maxInFlight: 64,
        ...body,
      };
      const { status, body: made } = await test.platform.request<{ id: string }>('POST', '/v1/endpoints', given);
      expect(status).toBe(201);
      ids.set(path, made.id);
    }
    await sleep(2_000);
    const [sample] = sampleEvents('shown', 1);
    const events = Array.from({ length: 100 }, (_, n) => ({ ...sample!, id: `shown-${n}` }));
    await upstream.send(events.map((event) => upstream.binaryJson(event)));
    const paths = ['/oauth2', '/basic', '/header', '/none'];
    await vi.waitUntil(() => paths.every((path) => secured.at(path).length >= 100), { timeout: 30_000, interval: 100 });

    const seen = (path: string, header: string) => [...new Set(secured.at(path).map(({ headers }) => headers[header]))];
    expect(secured.tokens).toHaveLength(1);
    useSecret('issued token', secured.tokens[0]!);
    expect(seen('/oauth2', 'authorization')).toEqual([`Bearer ${secured.tokens[0]}`]);
    const pair = (name: string, secret = '') => `Basic ${Buffer.from(`${name}:${secret}`).toString('base64')}`;
    expect(seen('/token', 'authorization')).toEqual([pair('posthorn', clientSecret)]);
    expect(seen('/basic', 'authorization')).toEqual([pair('posthorn', password)]);
    expect(seen('/header', 'x-api-key')).toEqual([value]);
    expect(seen('/none', 'authorization')).toEqual([undefined]);
    // A connection has one certificate: none was used for another endpoint's request.
    const clients = (path: string) => [...new Set(secured.at(path).map(({ client }) => client))];
    expect(['/oauth2', '/token', '/none', '/basic', '/header', '/unknown'].map(clients)).toEqual([
      ...[1, 2, 3].map(() => ['client-one']),
      ...[1, 2].map(() => ['client-two']),
      [],
    ]);

    const attempt = async (path: string) => {
      const list = `/v1/deliveries?endpointId=${ids.get(path)}&limit=1`;
      const { body } = await test.platform.request<{ data: { id: string }[] }>('GET', list);
      const found = body.data[0];
      if (found === undefined) return null;
      const one = await test.platform.request<{ attempts: Told[] }>('GET', `/v1/deliveries/${found.id}`);
      return one.body.attempts[0] ?? null;
    };
    const told = (path: string) => vi.waitUntil(() => attempt(path), { timeout: 15_000, interval: 200 });
    const delivered = await told('/oauth2');
    expect(delivered.requestHeaders['authorization']).toBe('***');
    // The receiver sends back what it was sent.
    expect(JSON.stringify(delivered.response)).toContain('Bearer ***');
    expect((await told('/unknown')).error?.kind).toBe('tls');
    secured.close();
  });

  it('invariant 8: leaves no secret behind that anyone could read', async () => {
    const { sightings, places } = await test.secretsLeftBehind();
    expect(sightings).toEqual([]);
    const looked = [
      'log worker-',
      'log api-',
      'log cli',
      'topic endpoints',
      'topic attempts',
      'topic __consumer_offsets',
    ];
    const more = [
      'table public.endpoint_secrets',
      'metrics of api',
      'GET /v1/endpoints/{id}/secrets',
      'refusal of POST',
    ];
    for (const place of [...looked, ...more]) {
      expect([...places].some(([one, size]) => one.startsWith(place) && size > 0)).toBe(true);
    }
  });
});

interface Told {
  readonly requestHeaders: Readonly<Record<string, string>>;
  readonly response: unknown;
  readonly error: { readonly kind: string } | null;
}

/** Verifies each request as it comes, with what it knows then; answers 401 to what it does not believe. */
class Receiver {
  keys: readonly VerifyingKey[] = [];
  readonly failures: string[] = [];

  private constructor(
    private readonly test: PlatformUnderTest,
    readonly endpoint: EndpointUnderTest,
  ) {}

  static async start(test: PlatformUnderTest, body: Readonly<Record<string, unknown>> = {}): Promise<Receiver> {
    const endpoint = await test.addEndpoint(['*'], undefined, { maxInFlight: 64, ...body });
    const receiver = new Receiver(test, endpoint);
    endpoint.receiver.program = ({ headers, body: raw, at }) => {
      const header = (name: string): string | undefined => headers[name]?.toString();
      const [id, timestamp, signature] = [
        header('webhook-id'),
        header('webhook-timestamp'),
        header('webhook-signature'),
      ];
      const verified = verifyWebhook(receiver.keys, { id, timestamp, signature, body: raw }, at / 1_000);
      if (!verified.ok) receiver.failures.push(`${verified.reason} at ${new Date(at).toISOString()}: ${signature}`);
      return { status: verified.ok ? 204 : 401 };
    };
    return receiver;
  }

  async fetchKeys(): Promise<void> {
    const path = `/v1/endpoints/${this.endpoint.endpointId}/public-keys`;
    const { body } = await this.test.platform.request<{ data: { publicKey: string }[] }>('GET', path);
    this.keys = body.data.map(({ publicKey }) => parsePublicKey(publicKey));
  }

  /** Which versions came together. */
  signatures(): ReadonlySet<string> {
    const all = this.endpoint.receiver.requests.map(({ headers }) => String(headers['webhook-signature']));
    return new Set(all.map((text) => text.replaceAll(/,\S+/g, '')));
  }
}

/** Events at a steady pace. */
class Load {
  sent = 0;
  #isOver = false;

  constructor(private readonly upstream: UpstreamService) {}

  async during(work: () => Promise<void>): Promise<void> {
    const running = this.#run();
    try {
      await work();
    } finally {
      this.#isOver = true;
      await running;
    }
  }

  async #run(): Promise<void> {
    const begun = performance.now();
    while (!this.#isOver) {
      const due = Math.floor(((performance.now() - begun) / 1_000) * eventsPerSecond) - this.sent;
      const events = Array.from({ length: due }, (_, i) => {
        const n = this.sent + i;
        return { id: `load-${n}`, type: 'comment.added', source: '/e2e', partitionkey: `p-${n % 8}`, data: comment(n) };
      });
      await this.upstream.send(events.map((event) => this.upstream.binaryJson(event)));
      this.sent += due;
      await sleep(100);
    }
  }
}
