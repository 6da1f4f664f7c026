import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { mostTries, nextTryInMs, type VerificationVerdict } from '#libs/core';
import { createTestDatabase, type TestDatabase } from '#libs/testing';
import { AuditLog } from './audit-log.js';
import { connectDatabase, type Database } from './database.js';
import { EndpointHistory } from './endpoint-history.js';
import { EndpointRepository } from './endpoint-repository.js';
import { EndpointVerifications, type ClaimedTry, type VerificationExchange } from './endpoint-verifications.js';
import { migrate } from './migrate.js';
import { Outbox, type ConfigurationChange } from './outbox.js';
import { TenantRepository } from './tenant-repository.js';
import { endpointOf, forgetTenants } from './tenants.fixture.js';
import { inScope } from './work-scope.js';

// Real: PostgreSQL.
let test: TestDatabase;
let database: Database;
let endpoints: EndpointRepository;
let verifications: EndpointVerifications;

const now = 1_700_000_000_000;
const claimMs = 60_000;
const id = 'ep_1';
const allowed: VerificationVerdict = { verified: true, allowedRate: 60 };
const refused: VerificationVerdict = { verified: false, reason: 'status', detail: 'It answered 404.' };
const exchange: VerificationExchange = {
  at: now,
  request: { method: 'POST', url: 'https://acme.example/', headers: {}, body: 'a\u0000b' },
  response: null,
  error: { kind: 'dns', message: 'm' },
  durationMs: 5,
};

beforeAll(async () => {
  test = await createTestDatabase();
  await migrate(test.url);
  database = await connectDatabase(test.url);
  endpoints = new EndpointRepository(database);
  verifications = new EndpointVerifications(database);
});
afterAll(async () => {
  await database?.close();
  await test?.drop();
});
beforeEach(async () => {
  await forgetTenants(database);
  await new TenantRepository(database).create({ id: 'acme', name: 'Acme' }, now);
});

const create = (endpointId = id, method: 'handshake' | 'challenge' | null = 'challenge') =>
  endpoints.create(endpointOf('acme', { endpointId, verification: method }), now);
const stateOf = async (endpointId = id) => (await endpoints.get(endpointId))?.verification ?? null;
const due = async (at: number, claim = 'a'): Promise<ClaimedTry[]> => verifications.claimDue(claim, at, 16);
const settled = (claimed: ClaimedTry, verdict: VerificationVerdict, at: number) =>
  verifications.settle({ claimed, verdict, origin: 'o.example', exchange }, at);
async function published(): Promise<Record<string, unknown>> {
  const seen = new Map<string, ConfigurationChange>();
  await new Outbox(database).publishPending((changes) => {
    for (const change of changes) seen.set(change.key, change);
    return Promise.resolve();
  });
  return (seen.get(id)?.config ?? {}) as unknown as Record<string, unknown>;
}

describe('an endpoint that is to be verified', () => {
  it('is paused to those who send until it is, and then has the rate that its receiver allows', async () => {
    await create(id, 'handshake');
    expect(await stateOf()).toMatchObject({ method: 'handshake', state: 'unverified', round: 1, at: now });
    expect(await published()).toMatchObject({ state: 'paused', awaitsVerification: true, requestOrigin: null });
    const [first] = await due(now);
    await settled(first!, refused, now + 1);
    expect(await stateOf()).toMatchObject({ state: 'failed', reason: 'status', at: now + 1 });
    expect(await published()).toMatchObject({ state: 'paused', awaitsVerification: true });
    const [second] = await due(now + 1 + 5_000);
    await settled(second!, allowed, now + 6_000);
    expect(await published()).toMatchObject({
      state: 'active',
      awaitsVerification: false,
      requestOrigin: 'o.example',
      rateLimit: { limit: 60, per: 'minute', burst: 1 },
      revision: 3,
    });
    expect(await endpoints.get(id)).toMatchObject({ state: 'active', rateLimit: null });
  });

  it('stays disabled, or paused, if that is what it is', async () => {
    await create();
    await endpoints.update(id, { state: 'disabled' }, { now });
    expect(await published()).toMatchObject({ state: 'disabled', awaitsVerification: true });
  });

  it('has a history, and an audit log that says who asked', async () => {
    // The audit log is never emptied.
    const audited = 'ep_audited';
    await create(audited);
    const scope = { confinement: null, actor: { kind: 'tenant', id: 'pht_1', name: 'k' }, ip: null, requestId: null };
    await inScope(scope as never, async () => {
      const result = await verifications.claim(audited, 'm', now + 1);
      if (result.outcome !== 'claimed') throw new Error(result.outcome);
      await settled(result.claimed, allowed, now + 2);
    });
    const history = await new EndpointHistory(database).list(audited, { limit: 9 });
    expect(history?.data.map(({ change }) => change)).toEqual(['verified', 'created']);
    const { data } = await new AuditLog(database).list({ resource: `endpoint/${audited}` }, { limit: 3 });
    expect(data.map(({ action, actor }) => [action, actor.id])).toEqual([
      ['endpoint.verified', 'pht_1'],
      ['endpoint.verification-requested', 'pht_1'],
      ['endpoint.created', ''],
    ]);
  });
});

describe('a new URL', () => {
  it('has to be verified anew, and what is learnt of the old one is void', async () => {
    await create();
    const [old] = await due(now);
    await endpoints.update(id, { url: 'https://other.example/' }, { now: now + 1 });
    expect(await settled(old!, allowed, now + 2)).toBeNull();
    expect(await stateOf()).toMatchObject({ state: 'unverified', round: 2 });
    const [fresh] = await due(now + 2);
    expect(fresh).toMatchObject({ tries: 1, verification: { round: 2 }, endpoint: { url: 'https://other.example/' } });
    await settled(fresh!, allowed, now + 3);
    expect(await stateOf()).toMatchObject({ state: 'verified', round: 2 });
    // Another change of it does not ask again; back to the first URL does.
    await endpoints.update(id, { description: 'x', url: 'https://other.example/' }, { now: now + 4 });
    expect(await stateOf()).toMatchObject({ state: 'verified', round: 2 });
    await endpoints.update(id, { url: 'https://acme.example/' }, { now: now + 5 });
    expect(await stateOf()).toMatchObject({ state: 'unverified', round: 5 });
    expect(await verifications.get(id)).toMatchObject({ tries: 0, last: null });
  });

  it('is nothing to an endpoint that need not be verified, and whose method is taken away nothing is tried', async () => {
    await create(id, null);
    await endpoints.update(id, { url: 'https://other.example/' }, { now });
    expect([await stateOf(), await due(now)]).toEqual([null, []]);
    expect(await verifications.claim(id, 'm', now)).toEqual({ outcome: 'none' });
    await endpoints.update(id, { verification: 'handshake' }, { now });
    expect(await verifications.get(id)).toMatchObject({ tries: 0, nextTryAt: now });
    await endpoints.update(id, { verification: null }, { now });
    expect([await stateOf(), await verifications.get(id), await due(now)]).toEqual([null, null, []]);
    expect(await published()).toMatchObject({ state: 'active', awaitsVerification: false });
  });
});

describe('a try', () => {
  it('is claimed by one process, however many look', async () => {
    for (let n = 0; n < 20; n += 1) await create(`ep_${n}`);
    const rounds = await Promise.all(Array.from({ length: 4 }, (_, n) => due(now, `claim-${n}`)));
    const claimed = rounds.flat().map(({ endpoint }) => endpoint.endpointId);
    expect(claimed).toHaveLength(new Set(claimed).size);
    const rest = (await due(now, 'rest')).map(({ endpoint }) => endpoint.endpointId);
    expect(new Set([...claimed, ...rest]).size).toBe(20);
    expect(await due(now)).toEqual([]);
    // Nor by somebody who asks for it meanwhile.
    expect(await verifications.claim('ep_3', 'm', now + claimMs - 1)).toEqual({ outcome: 'busy' });
  });

  it('is not waited for by a tenant because another one has many that take long', async () => {
    for (let n = 0; n < 6; n += 1) await create(`ep_${n}`);
    const tenants = async (limit: number, at: number): Promise<string[]> =>
      (await verifications.claimDue('c', at, limit)).map(({ endpoint }) => endpoint.tenantId).toSorted();
    expect(await tenants(2, now)).toEqual(['acme', 'acme']);
    await new TenantRepository(database).create({ id: 'other', name: 'Other' }, now);
    const late = { endpointId: 'ep_late', verification: 'challenge' } as const;
    await endpoints.create(endpointOf('other', late), now + 1);
    expect(await tenants(1, now + 1)).toEqual(['other']);
    for (let n = 0; n < 3; n += 1)
      await endpoints.create(endpointOf('other', { ...late, endpointId: `ep_o${n}` }), now + 1);
    expect(await tenants(3, now + 1)).toEqual(['acme', 'other', 'other']);
    expect(await tenants(16, now + 1)).toEqual(['acme', 'acme', 'acme', 'other']);
  });

  it('whose process died is made again when its claim is over, and the dead one changes nothing any more', async () => {
    await create();
    const [dead] = await due(now, 'dead');
    expect(await due(now + claimMs - 1)).toEqual([]);
    const [alive] = await due(now + claimMs, 'alive');
    expect(alive).toMatchObject({ tries: 2 });
    expect(await settled(dead!, allowed, now + claimMs + 1)).toBeNull();
    expect(await stateOf()).toMatchObject({ state: 'unverified' });
    expect(await settled(alive!, allowed, now + claimMs + 2)).toMatchObject({ verification: { state: 'verified' } });
  });

  it('follows a failed one a bounded number of times, each later, and none follows a success', async () => {
    await create();
    let at = now;
    for (let tries = 1; tries <= mostTries; tries += 1) {
      expect(await due(at - 1)).toEqual([]);
      const [claimed] = await due(at);
      expect(claimed?.tries).toBe(tries);
      await settled(claimed!, refused, at);
      at += nextTryInMs(tries) ?? 0;
    }
    expect(await due(at + 1e9)).toEqual([]);
    expect(await verifications.get(id)).toMatchObject({ tries: mostTries, nextTryAt: null, last: exchange });
    const asked = await verifications.claim(id, 'm', at);
    if (asked.outcome !== 'claimed') throw new Error(asked.outcome);
    expect(asked.claimed.tries).toBeNull();
    await settled(asked.claimed, allowed, at);
    expect(await due(at + 1e9)).toEqual([]);
    expect(await verifications.claim(id, 'm', at)).toEqual({ outcome: 'verified' });
  });

  it('that was not made is given back', async () => {
    await create();
    const [claimed] = await due(now);
    await verifications.release(claimed!, now + 1);
    expect(await due(now + 1)).toMatchObject([{ tries: 1 }]);
  });
});

describe('a receiver that calls back', () => {
  it('consents for the URL that it was asked at, once', async () => {
    await create(id, 'handshake');
    const [claimed] = await due(now);
    const consent = { origin: 'o.example', allowedRate: 30 };
    expect(await verifications.allow({ endpointId: id, round: 2 }, consent, now + 1)).toBeNull();
    expect(await verifications.allow({ endpointId: 'ep_9', round: 1 }, consent, now + 1)).toBeNull();
    expect(await verifications.allow({ endpointId: id, round: 1 }, consent, now + 1)).toBe('verified');
    expect(await verifications.allow({ endpointId: id, round: 1 }, consent, now + 2)).toBe('already');
    // What was under way meanwhile takes nothing back.
    await settled(claimed!, refused, now + 3);
    expect(await stateOf()).toMatchObject({ state: 'verified', allowedRate: 30, at: now + 1 });
    expect(await due(now + 1e9)).toEqual([]);
  });
});
