// Real: keys and tokens. Doubled: where keys are kept, the clock.
import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { apiKeyBytes, newApiKey, portalKeysOf, signPortalToken } from '#libs/core';
import type { ApiKey } from '#libs/persistence';
import { AppError } from '../problem/app-error.js';
import { Callers } from './callers.js';

const operatorKey = 'pk_0123456789abcdef';
const portalKeys = portalKeysOf(new Map([[1, randomBytes(32)]]));
const start = 1_800_000_000_000;

let kept: Map<string, ApiKey>;
let lookups: number;
let uses: string[];
let now: number;
let generation: number;
let revoked: Set<string>;
let callers: Callers;

const newCallers = (key = operatorKey): Callers =>
  new Callers({
    operatorKey: key,
    keys: {
      find: (digests) => {
        lookups += 1;
        return Promise.resolve(new Map([...kept].filter(([digest]) => digests.includes(digest))));
      },
      noteUse: ({ id }) => {
        uses.push(id);
        return Promise.reject(new Error('no database'));
      },
    },
    tokens: {
      states: (tokens) => {
        lookups += 1;
        return Promise.resolve(tokens.map((one) => ({ ...one, generation, revoked: revoked.has(one.tokenId) })));
      },
    },
    portalKeys,
    now: () => now,
    log: { warn: () => undefined },
  });

beforeEach(() => {
  [kept, lookups, uses, now] = [new Map(), 0, [], start];
  [generation, revoked] = [2, new Set()];
  callers = newCallers();
});

function add(changes: Partial<ApiKey> = {}): string {
  const { key, id, digest } = newApiKey(changes.tenantId === null ? 'operator' : 'tenant', randomBytes(apiKeyBytes));
  const given = { tenantId: 'acme', name: 'CI', scopes: ['endpoints:read'], expiresAt: null, revokedAt: null };
  kept.set(digest.toString('hex'), { ...given, id, lastUsedAt: null, createdAt: 1, createdBy: '', ...changes });
  return key;
}
const refusal = async (authorization: string | undefined, of = callers): Promise<string> => {
  try {
    await of.authenticate(authorization);
    return 'let in';
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    expect(error.status).toBe(401);
    expect(error.headers['www-authenticate']).toMatch(/^Bearer realm="posthorn"/);
    return error.code;
  }
};

describe('the operator key of the environment', () => {
  it('is taken in any spelling of the scheme, without a look-up, and may do everything', () => {
    for (const header of [`Bearer ${operatorKey}`, `bearer   ${operatorKey} `])
      expect(callers.authenticate(header)).toEqual({
        actor: { kind: 'root', id: '', name: 'operator key' },
        grant: { holder: 'operator', scopes: ['*'] },
        confinement: null,
      });
    expect(lookups).toBe(0);
  });

  it.each([
    undefined,
    '',
    'Bearer',
    `Basic ${operatorKey}`,
    `Bearer ${operatorKey}x`,
    `Bearer ${operatorKey.slice(1)}`,
  ])('is not %s', async (header) => {
    expect(await refusal(header)).toBe('unauthorised');
    expect(lookups).toBe(0);
  });

  it('lets nobody in where none is set', async () => {
    expect(await refusal('Bearer ', newCallers(''))).toBe('unauthorised');
    expect(await refusal('Bearer x', newCallers(''))).toBe('unauthorised');
  });
});

describe('a key', () => {
  it('of a tenant is confined to it; one of the platform is not', async () => {
    const [own, platform] = [add(), add({ tenantId: null, scopes: ['*'] })];
    expect(await callers.authenticate(`Bearer ${own}`)).toEqual({
      actor: { kind: 'tenant', id: own.slice(0, 16), name: 'CI' },
      grant: { holder: 'tenant', scopes: ['endpoints:read'] },
      confinement: { tenantId: 'acme', endpointIds: null },
    });
    expect(await callers.authenticate(`Bearer ${platform}`)).toMatchObject({
      actor: { kind: 'operator' },
      confinement: null,
    });
  });

  it('is refused with the reason when it was revoked or has expired, to the millisecond', async () => {
    expect(await refusal(`Bearer ${add({ revokedAt: start })}`)).toBe('key-revoked');
    expect(await refusal(`Bearer ${add({ expiresAt: start })}`)).toBe('key-expired');
    expect(await refusal(`Bearer ${add({ expiresAt: start + 1 })}`)).toBe('let in');
    const unknown = newApiKey('tenant', randomBytes(apiKeyBytes)).key;
    expect(await refusal(`Bearer ${unknown}`)).toBe('unauthorised');
    // The begin of a key, which is no secret, opens nothing.
    expect(await refusal(`Bearer ${add().slice(0, 17)}${unknown.slice(17)}`)).toBe('unauthorised');
  });

  it('is looked up for each request, and its use noted once a minute', async () => {
    const key = `Bearer ${add()}`;
    for (let i = 0; i < 3; i += 1) await callers.authenticate(key);
    now += 59_999;
    await callers.authenticate(key);
    expect([lookups, uses.length]).toEqual([4, 1]);
    now += 1;
    await callers.authenticate(key);
    expect([lookups, uses.length]).toEqual([5, 2]);
  });

  it('is refused in every process at once when it was revoked in one, though it was taken a moment ago', async () => {
    const key = add();
    for (const one of [callers, newCallers()]) {
      expect(await refusal(`Bearer ${key}`, one)).toBe('let in');
      for (const [digest, found] of kept) kept.set(digest, { ...found, revokedAt: start });
      expect(await refusal(`Bearer ${key}`, one)).toBe('key-revoked');
      for (const [digest, found] of kept) kept.set(digest, { ...found, revokedAt: null });
    }
  });
});

describe('a portal token', () => {
  const token = (changes: object = {}, keys = portalKeys): string =>
    signPortalToken(keys, {
      tokenId: 'ptk_1',
      tenantId: 'acme',
      scopes: ['*'],
      endpointIds: ['ep_1'],
      generation: 2,
      issuedAt: start / 1_000,
      expiresAt: start / 1_000 + 60,
      ...changes,
    });

  it('is confined to its tenant and endpoints', async () => {
    expect(await callers.authenticate(`Bearer ${token()}`)).toEqual({
      actor: { kind: 'portal', id: 'ptk_1', name: '' },
      grant: { holder: 'portal', scopes: ['*'] },
      confinement: { tenantId: 'acme', endpointIds: ['ep_1'] },
    });
  });

  it('is refused at once when it was revoked, or all of its tenant that were minted before', async () => {
    const own = `Bearer ${token()}`;
    expect(await refusal(own)).toBe('let in');
    revoked.add('ptk_1');
    expect(await refusal(own)).toBe('token-revoked');
    revoked.clear();
    generation += 1;
    expect(await refusal(own)).toBe('token-revoked');
    expect(await refusal(`Bearer ${token({ generation })}`)).toBe('let in');
  });

  it('is not looked up before its signature is ours', async () => {
    const forged = token({}, portalKeysOf(new Map([[1, randomBytes(32)]])));
    expect(await refusal(`Bearer ${forged}`)).toBe('unauthorised');
    expect(lookups).toBe(0);
  });

  it('is refused when it has expired; a forged one is not told why', async () => {
    const own = token();
    now += 60_000;
    expect(await refusal(`Bearer ${own}`)).toBe('token-expired');
    now = start;
    const forged = token({}, portalKeysOf(new Map([[1, randomBytes(32)]])));
    for (const text of [forged, `${own}x`, 'a.b.c']) expect(await refusal(`Bearer ${text}`)).toBe('unauthorised');
  });
});
