// Real: the worker, the codecs, sealing. Doubled: log, group, clock, the endpoints and their authorization server. Facts: what
// was POSTed, and what the attempts hold.
import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import type { EndpointConfig } from '#libs/contracts';
import { scheduleOf, sealEnvelope, type Authentication, type MasterKeys } from '#libs/core';
import { secret, WorkerWorld } from './testing/worker-world.js';

const second = 1_000;
const masterKeys: MasterKeys = new Map([[1, randomBytes(32)]]);

let world: WorkerWorld;
beforeEach(async () => {
  world = await WorkerWorld.open();
});

const oauth: Authentication = {
  kind: 'oauth2',
  tokenUrl: 'https://auth.test/token',
  clientId: 'posthorn',
  clientSecret: 'hush-client-secret',
  scope: null,
  audience: null,
  clientAuthentication: 'basic',
};
const seal = (value: object, endpointId: string): string =>
  sealEnvelope(masterKeys, JSON.stringify(value), endpointId, randomBytes);

/** @returns its configuration's version */
async function endpoint(
  endpointId: string,
  authentication: Authentication | null,
  changes: Partial<EndpointConfig> = {},
): Promise<number> {
  return world.endpoint(endpointId, {
    secrets: [
      { secretId: 's1', ciphertext: sealEnvelope(masterKeys, secret, endpointId, randomBytes), expiresAt: null },
    ],
    sealedAuthentication: authentication && seal(authentication, endpointId),
    ...changes,
  });
}
const worker = () => world.worker({ masterKeys, maxInFlight: 64 });
/** The token server's nth answer is `token-n`, after 100 ms. */
const issueTokens = (expiresIn = 3_600): void =>
  void world.reactions.set('token', (nth) => ({
    status: 200,
    body: JSON.stringify({ access_token: `token-${nth}`, token_type: 'Bearer', expires_in: expiresIn }),
    afterMs: 100,
  }));
const fetches = () => world.postsTo('token');
const shown = (endpointId: string, header = 'authorization') =>
  world.postsTo(endpointId).map(({ post }) => post.headers[header]);
const deliver = async (endpointId: string, version: number, count: number): Promise<void> => {
  for (let i = 0; i < count; i += 1) await world.deliver(endpointId, version);
};

describe('an endpoint is shown', () => {
  it.each<[Authentication, string, string]>([
    [{ kind: 'bearer', token: 'hush-token' }, 'authorization', 'Bearer hush-token'],
    [
      { kind: 'basic', username: 'posthorn', password: 'hush-password' },
      'authorization',
      'Basic cG9zdGhvcm46aHVzaC1wYXNzd29yZA==',
    ],
    [{ kind: 'header', name: 'x-api-key', value: 'hush-key' }, 'x-api-key', 'hush-key'],
  ])('%j', async (authentication, header, value) => {
    // What it says of itself, or a transformation does, comes before.
    const version = await endpoint('ep_1', authentication, { headers: { [header]: 'its own', 'x-team': 'blue' } });
    world.reactions.set('ep_1', () => ({ status: 200, body: `you sent ${value}`, headers: { echo: value } }));
    await worker();
    await world.deliver('ep_1', version, { headers: { [header]: 'of the event' } });
    await world.time.run(second);
    expect(shown('ep_1', header)).toEqual([value]);
    expect(shown('ep_1', 'x-team')).toEqual(['blue']);
    const [attempt] = world.attempts();
    expect(attempt).toMatchObject({
      outcome: 'delivered',
      requestHeaders: { [header]: '***', 'x-team': 'blue', 'webhook-id': expect.any(String) as string },
      response: { status: 200 },
    });
    expect(attempt?.response?.body.toString()).toMatch(/^you sent (Bearer |Basic )?\*\*\*$/);
    const kept = JSON.stringify({ ...attempt, response: { ...attempt?.response, body: '' } });
    expect(kept).not.toContain(value.replace(/^\w+ /, ''));
  });

  it('its client certificate and CA, the same object for as long as its configuration is the same', async () => {
    const certificate = { certificate: 'CERT', privateKey: 'KEY' };
    const tls = { sealedClientCertificate: seal(certificate, 'ep_1'), caPem: 'CA' };
    let version = await endpoint('ep_1', null, tls);
    await worker();
    await deliver('ep_1', version, 2);
    await world.time.run(second);
    version = await endpoint('ep_1', null, { caPem: 'CA' });
    await world.deliver('ep_1', version);
    await world.time.run(second);
    const used = world.postsTo('ep_1').map(({ post }) => post.tls);
    expect(used).toEqual([
      { ca: 'CA', cert: 'CERT', key: 'KEY' },
      { ca: 'CA', cert: 'CERT', key: 'KEY' },
      { ca: 'CA' },
    ]);
    expect(used[0]).toBe(used[1]);
  });

  it('nothing while its credentials cannot be opened: its deliveries wait, with an alarm', async () => {
    const version = await endpoint('ep_1', null, { sealedAuthentication: seal(oauth, 'ep_2') });
    const { alarms } = await worker();
    await world.deliver('ep_1', version);
    await world.time.run(10 * second);
    expect([world.posts.length, alarms.length]).toEqual([0, 1]);
    await endpoint('ep_1', { kind: 'bearer', token: 'hush-token' });
    await world.time.run(10 * second);
    expect(shown('ep_1')).toEqual(['Bearer hush-token']);
  });
});

describe('OAuth 2.0: a token', () => {
  it('is fetched once for 100 deliveries that come at once, and for several endpoints of one client', async () => {
    issueTokens();
    const one = await endpoint('ep_1', oauth, { maxInFlight: 16 });
    const two = await endpoint('ep_2', oauth, { maxInFlight: 16 });
    await worker();
    await deliver('ep_1', one, 100);
    await deliver('ep_2', two, 100);
    await world.time.run(10 * second);
    expect(fetches()).toHaveLength(1);
    expect(fetches()[0]?.post).toMatchObject({
      origin: 'https://auth.test',
      headers: { authorization: `Basic ${Buffer.from('posthorn:hush-client-secret').toString('base64')}` },
    });
    expect(shown('ep_1')).toEqual(Array.from({ length: 100 }, () => 'Bearer token-1'));
    expect(shown('ep_2')).toEqual(Array.from({ length: 100 }, () => 'Bearer token-1'));
    expect(world.attempts().every(({ requestHeaders }) => requestHeaders['authorization'] === '***')).toBe(true);
  });

  it('is fetched with the certificates of the endpoint, and apart for each of them', async () => {
    issueTokens();
    await worker();
    for (const caPem of ['CA 1', 'CA 2']) {
      await deliver('ep_1', await endpoint('ep_1', oauth, { caPem }), 1);
      await world.time.run(second);
    }
    expect(fetches().map(({ post }) => post.tls)).toEqual([{ ca: 'CA 1' }, { ca: 'CA 2' }]);
    expect(shown('ep_1')).toEqual(['Bearer token-1', 'Bearer token-2']);
  });

  it('is fetched anew before its end, and after a 401; the delivery is then tried again by its schedule', async () => {
    issueTokens(60);
    const version = await endpoint('ep_1', oauth);
    world.reactions.set('ep_1', (nth) => ({ status: nth === 3 ? 401 : 200 }));
    await worker();
    for (const seconds of [55, 20, 20]) {
      await world.deliver('ep_1', version);
      await world.time.run(seconds * second);
    }
    expect(shown('ep_1')).toEqual(['Bearer token-1', 'Bearer token-2', 'Bearer token-2', 'Bearer token-3']);
    expect(fetches()).toHaveLength(3);
    expect(world.attempts().map(({ number, outcome }) => [number, outcome])).toEqual([
      [1, 'delivered'],
      [1, 'delivered'],
      [1, 'retry'],
      [2, 'delivered'],
    ]);
  });

  it('of another secret is another', async () => {
    issueTokens();
    await worker();
    await deliver('ep_1', await endpoint('ep_1', oauth), 1);
    await world.time.run(second);
    await deliver('ep_1', await endpoint('ep_1', { ...oauth, clientSecret: 'another-secret' }), 1);
    await world.time.run(second);
    expect(shown('ep_1')).toEqual(['Bearer token-1', 'Bearer token-2']);
  });

  it('that is waited for holds up nobody else, and takes no place among the POSTs in flight', async () => {
    world.reactions.set('token', () => ({ status: 200, body: '{"access_token":"late"}', afterMs: 8 * second }));
    const slow = await endpoint('ep_slow', oauth, { maxInFlight: 64 });
    const quick = await endpoint('ep_quick', { kind: 'bearer', token: 'hush-token' });
    await worker();
    await deliver('ep_slow', slow, 80);
    await world.time.run(second);
    await deliver('ep_quick', quick, 10);
    await world.time.run(2 * second);
    expect(world.postsTo('ep_quick')).toHaveLength(10);
    expect([...world.told.inFlight.values()]).toEqual([0]);
    await world.time.run(10 * second);
    expect([world.postsTo('ep_slow').length, fetches().length]).toEqual([80, 1]);
  });

  it('that comes when the partition is another’s starts nothing here', async () => {
    world.reactions.set('token', (nth) => ({
      status: 200,
      body: `{"access_token":"token-${nth}"}`,
      afterMs: nth === 1 ? 120 * second : 100,
    }));
    const version = await endpoint('ep_1', oauth);
    const first = await worker();
    await deliver('ep_1', version, 10);
    await world.time.run(second);
    expect(fetches()).toHaveLength(1);
    first.membership.freeze();
    await world.time.during(first.membership.expire());
    const next = await worker();
    await world.time.run(200 * second);
    expect(next.alarms).toEqual([]);
    expect(fetches()).toHaveLength(2);
    expect(world.postsTo('ep_1').map((one) => one.worker)).toEqual(Array.from({ length: 10 }, () => 'worker-2'));
  });
});

describe('OAuth 2.0: a POST that is announced, since its endpoint may have ended workers', () => {
  /** Two workers end in the midst of a POST, one after the other: the next is careful. */
  async function endTwoWorkers(): Promise<string> {
    const event = await world.deliver('ep_1', await endpoint('ep_1', oauth, { timeoutMs: 3_600_000 }));
    for (let nth = 1; nth <= 2; nth += 1) {
      world.reactions.set('ep_1', () => 'hang');
      const one = await worker();
      for (let i = 0; i < 100 && world.postsTo('ep_1').length < nth; i += 1) await world.time.run(10);
      await one.kill();
    }
    world.reactions.set('ep_1', () => ({ status: 200 }));
    return event;
  }

  it('bears its token, which its announcement does not show', async () => {
    issueTokens();
    const event = await endTwoWorkers();
    await worker();
    await world.time.run(60 * second);
    expect(shown('ep_1').at(-1)).toBe('Bearer token-3');
    const told = world.attempts().map(({ outcome, requestHeaders }) => [outcome, requestHeaders['authorization']]);
    expect(told).toEqual([
      ['started', '***'],
      ['delivered', '***'],
    ]);
    expect(world.outcomes().get(event)).toBe('delivered');
  });

  it('whose token has ended while it was announced waits for another turn, and for another token', async () => {
    issueTokens(1);
    const event = await endTwoWorkers();
    world.appendDelay = (records) =>
      records.some(({ topic }) => topic === world.topics.attempts) && world.attempts().length === 0 ? 5 * second : 0;
    await worker();
    await world.time.run(30 * second);
    expect([world.postsTo('ep_1').length, world.attempts().map(({ outcome }) => outcome)]).toEqual([2, ['started']]);
    await world.time.run(900 * second);
    expect(world.outcomes().get(event)).toBe('delivered');
    expect(world.postsTo('ep_1')).toHaveLength(3);
  });
});

describe('OAuth 2.0: no token', () => {
  it('is the attempt’s outcome, of its own kind, and is tried again; 1,000 deliveries do not ask 1,000 times', async () => {
    world.reactions.set('token', (nth) =>
      nth <= 2
        ? { status: 401, body: '{"error":"invalid_client"}' }
        : { status: 200, body: '{"access_token":"token-3"}' },
    );
    const version = await endpoint('ep_1', oauth, { retry: scheduleOf([60_000, 60_000, 60_000], { jitter: 0 }) });
    await worker();
    await deliver('ep_1', version, 1_000);
    await world.time.run(second);
    expect(fetches()).toHaveLength(1);
    expect(world.postsTo('ep_1')).toHaveLength(0);
    const [attempt] = world.attempts();
    expect(attempt).toMatchObject({
      number: 1,
      outcome: 'retry',
      response: null,
      url: 'http://receiver.test/ep_1',
      error: { kind: 'auth-token', message: 'no token from https://auth.test/token: it answered 401 invalid_client' },
    });
    expect(attempt?.requestHeaders).not.toHaveProperty('authorization');
    // Its circuit opens, so few of them have used up an attempt.
    expect(world.attempts().length).toBeLessThan(50);
    await world.time.run(1_200 * second);
    expect(world.outcomes().size).toBe(1_000);
    expect(new Set(world.outcomes().values())).toEqual(new Set(['delivered']));
    expect(fetches().length).toBeLessThan(10);
  });

  it('lets all else have its turn while many fail for want of one: no more at a time than may be in flight', async () => {
    world.reactions.set('token', () => ({ status: 401 }));
    for (let nth = 0; nth < 60; nth += 1) {
      const endpointId = `ep_${nth}`;
      await deliver(endpointId, await endpoint(endpointId, oauth, { maxInFlight: 2 }), 10);
    }
    const ends: number[] = [];
    let ticking: NodeJS.Immediate | undefined;
    const tick = (): void => {
      ends.push(world.told.outcomes.length);
      ticking = setImmediate(tick);
    };
    tick();
    await worker();
    await world.time.run(second);
    clearImmediate(ticking);
    expect(world.told.outcomes.length).toBeGreaterThan(200);
    expect(Math.max(...ends.slice(1).map((count, nth) => count - (ends[nth] ?? 0)))).toBeLessThanOrEqual(64);
  });

  it.each([
    [{ error: 'guard' } as const, 'guard: as scripted'],
    [{ error: 'dns' } as const, 'dns: as scripted'],
    [{ error: 'total-timeout' } as const, 'total-timeout: as scripted'],
    [{ status: 200, body: 'hush' }, 'its answer is not a JSON object'],
    [{ status: 302 }, 'it answered 302'],
  ])('because of %j is told apart', async (reaction, message) => {
    world.reactions.set('token', () => reaction);
    const version = await endpoint('ep_1', oauth, { retry: scheduleOf([]) });
    await worker();
    await world.deliver('ep_1', version);
    await world.time.run(second);
    expect(world.attempts().at(-1)?.error).toEqual({
      kind: 'auth-token',
      message: `no token from https://auth.test/token: ${message}`,
    });
    expect([...world.outcomes().values()]).toEqual(['deadLetter']);
    expect(world.deadLetters()).toMatchObject([{ reason: 'exhausted' }]);
  });
});
