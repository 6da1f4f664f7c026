import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { auditDigest, chainHash } from '#libs/core';
import { createTestDatabase, type TestDatabase } from '#libs/testing';
import { AuditLog } from './audit-log.js';
import { connectDatabase, type Database } from './database.js';
import { EndpointRepository } from './endpoint-repository.js';
import { migrate } from './migrate.js';
import { noteAudit, type AuditNote } from './note-audit.js';
import { Outbox, type ConfigurationChange } from './outbox.js';
import { now } from './replays.fixture.js';
import { endpointOf } from './tenants.fixture.js';
import { TenantRepository } from './tenant-repository.js';
import { inScope, type WorkScope } from './work-scope.js';

// Real: PostgreSQL. What somebody who owns the tables does to them is done with triggers switched off.
let test: TestDatabase;
let database: Database;
let log: AuditLog;

beforeAll(async () => {
  test = await createTestDatabase();
  await migrate(test.url);
  database = await connectDatabase(test.url);
  log = new AuditLog(database);
});
afterAll(async () => {
  await database?.close();
  await test?.drop();
});
const tamper = (statement: string): Promise<void> =>
  database.transaction(async (session) => {
    await session.query('SET LOCAL session_replication_role = replica');
    await session.query(statement);
  });
beforeEach(() => tamper('TRUNCATE audit_log, audit_heads, outbox, endpoint_versions, tenants CASCADE'));

const page = { limit: 100 };
const note = (changes: Partial<AuditNote> = {}): AuditNote => ({
  tenantId: 'acme',
  at: now,
  action: 'endpoint.updated',
  resource: 'endpoint/ep_1',
  before: { url: 'https://a/', secret: 'hush' },
  after: { url: 'https://b/', nested: { b: 1, a: ['\0\ud800é', 1e21, 0.1] }, secret: 'hush, too' },
  ...changes,
});
const add = (changes: Partial<AuditNote> = {}): Promise<void> =>
  database.transaction((session) => noteAudit(session, note(changes)));
const scope: WorkScope = {
  confinement: null,
  actor: { kind: 'operator', id: 'phk_1', name: 'CI' },
  ip: '203.0.113.7',
  requestId: 'req_1',
};

describe('an entry', () => {
  it('says who did what, from where, without secrets, and is hashed as the core does it', async () => {
    await inScope(scope, () => add());
    await add({ at: now + 1 });
    const [second, first] = (await log.list({}, page)).data;
    expect(first).toMatchObject({
      seq: 1,
      actor: scope.actor,
      ip: '203.0.113.7',
      requestId: 'req_1',
      before: { url: 'https://a/', secret: '[redacted]' },
      after: { url: 'https://b/', nested: { b: 1, a: ['\0\ud800é', 1e21, 0.1] }, secret: '[redacted]' },
    });
    expect(second).toMatchObject({ seq: 2, actor: { kind: 'system', id: '' }, ip: null, requestId: null });
    expect(first?.hash).toEqual(chainHash(Buffer.alloc(32), 1, auditDigest(first!)));
    expect(second?.hash).toEqual(chainHash(first!.hash, 2, auditDigest(second!)));
    expect(await log.verify('acme')).toEqual({ tenantId: 'acme', entries: 2, fault: null });
    const [{ dump }] = (await database.session.query('SELECT string_agg(l::text, $1) AS dump FROM audit_log l', [
      '',
    ])) as [{ dump: string }];
    expect(dump).not.toContain('hush');
  });

  it('stands or falls with the change', async () => {
    const failing = database.transaction(async (session) => {
      await noteAudit(session, note());
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect((await log.list({}, page)).data).toEqual([]);
    expect(await log.verify('acme')).toMatchObject({ entries: 0, fault: null });
    await add();
    expect(await log.verify('acme')).toMatchObject({ entries: 1, fault: null });
  });

  it('is left by each change of tenants and endpoints, with what was there before', async () => {
    const [tenants, endpoints] = [new TenantRepository(database), new EndpointRepository(database)];
    await inScope(scope, async () => {
      await tenants.create({ id: 'acme', name: 'Acme' }, now);
      await endpoints.create(endpointOf('acme'), now);
      await endpoints.update('ep_acme', { url: 'https://new.example/', state: 'paused' }, { now });
      await endpoints.disable('ep_acme', 'gone', { now, decidedAt: now + 1 });
      await endpoints.delete('ep_acme', now);
      await tenants.delete('acme', now);
      // What changes nothing leaves nothing.
      await endpoints.delete('ep_acme', now);
      await tenants.create({ id: 'acme', name: 'Acme' }, now);
      await tenants.create({ id: 'acme', name: 'Acme' }, now);
    });
    const entries = (await log.list({ tenantId: 'acme' }, page)).data.toReversed();
    expect(entries.map(({ action, resource }) => `${action} ${resource}`)).toEqual([
      'tenant.created tenant/acme',
      'endpoint.created endpoint/ep_acme',
      'endpoint.updated endpoint/ep_acme',
      'endpoint.disabled endpoint/ep_acme',
      'endpoint.deleted endpoint/ep_acme',
      'tenant.deleted tenant/acme',
      'tenant.created tenant/acme',
    ]);
    expect(entries[2]).toMatchObject({
      before: { url: 'https://acme.example/', state: 'active', revision: 1 },
      after: { url: 'https://new.example/', state: 'paused', revision: 2 },
    });
    expect(entries[1]?.before).toBeNull();
    expect(entries[4]?.after).toBeNull();
    expect(JSON.stringify(entries)).not.toContain('sealed-');
    expect(await log.verify('acme')).toMatchObject({ entries: 7, fault: null });
  });

  it('comes one after the other, without a gap, however many write at once', async () => {
    await Promise.all(
      Array.from({ length: 40 }, (_, i) => add({ tenantId: i % 3 === 0 ? '' : 'acme', resource: `r/${i}` })),
    );
    expect(await log.chains()).toEqual(['', 'acme']);
    expect(await log.verify('')).toEqual({ tenantId: '', entries: 14, fault: null });
    expect(await log.verify('acme')).toEqual({ tenantId: 'acme', entries: 26, fault: null });
  });

  it('is found by each of its fields, newest first, in pages', async () => {
    for (let i = 0; i < 5; i += 1) await add({ at: now + (i >> 1), action: `a.${i % 2}`, resource: `r/${i}` });
    await inScope(scope, () => add({ tenantId: 'other' }));
    const resources = async (filter: Parameters<AuditLog['list']>[0]): Promise<string[]> =>
      (await log.list(filter, page)).data.map(({ resource }) => resource);
    expect(await resources({ tenantId: 'acme' })).toEqual(['r/4', 'r/3', 'r/2', 'r/1', 'r/0']);
    expect(await resources({ action: 'a.1' })).toEqual(['r/3', 'r/1']);
    expect(await resources({ resource: 'r/2' })).toEqual(['r/2']);
    expect(await resources({ from: now + 1, to: now + 2 })).toEqual(['r/3', 'r/2']);
    expect(await resources({ actorKind: 'operator' })).toEqual(['endpoint/ep_1']);
    expect(await resources({ actorId: 'phk_1' })).toEqual(['endpoint/ep_1']);
    expect(await resources({ requestId: 'req_1' })).toEqual(['endpoint/ep_1']);
    const seen: string[] = [];
    for (let cursor: string | undefined; ;) {
      const { data, nextCursor } = await log.list({}, { limit: 2, cursor });
      seen.push(...data.map(({ tenantId, seq }) => `${tenantId} ${seq}`));
      if (nextCursor === null) break;
      cursor = nextCursor;
    }
    expect(seen).toEqual(['acme 5', 'acme 4', 'acme 3', 'other 1', 'acme 2', 'acme 1']);
  });
});

describe('the audit log', () => {
  it('refuses to be changed, also to its owner', async () => {
    await add();
    for (const statement of [
      `UPDATE audit_log SET action = 'x'`,
      'DELETE FROM audit_log',
      'TRUNCATE audit_log',
      'DELETE FROM audit_heads',
      'TRUNCATE audit_heads',
    ])
      await expect(database.session.query(statement)).rejects.toThrow('the audit log is append-only');
  });

  it.each([
    ['an edit', `UPDATE audit_log SET action = 'x' WHERE seq = 2`, { kind: 'edited', seq: 2 }],
    ['another actor', `UPDATE audit_log SET actor_id = 'x' WHERE seq = 3`, { kind: 'edited', seq: 3 }],
    ['what was there before', `UPDATE audit_log SET before = NULL WHERE seq = 1`, { kind: 'edited', seq: 1 }],
    ['a removal', 'DELETE FROM audit_log WHERE seq = 2', { kind: 'gap', seq: 2 }],
    ['the begin cut off', 'DELETE FROM audit_log WHERE seq < 3', { kind: 'gap', seq: 1 }],
    ['the end cut off', 'DELETE FROM audit_log WHERE seq > 3', { kind: 'cut-off', seq: 4 }],
    ['all of it gone', 'DELETE FROM audit_log', { kind: 'cut-off', seq: 1 }],
    ['its head gone', 'DELETE FROM audit_heads', { kind: 'cut-off', seq: 5 }],
    [
      'a swap',
      `UPDATE audit_log SET seq = CASE seq WHEN 2 THEN 103 ELSE 102 END WHERE seq IN (2, 3);
       UPDATE audit_log SET seq = seq - 100 WHERE seq > 100`,
      { kind: 'edited', seq: 2 },
    ],
  ])('shows %s', async (_what, statement, fault) => {
    for (let i = 0; i < 5; i += 1) await add({ resource: `r/${i}` });
    expect(await log.verify('acme')).toMatchObject({ fault: null });
    await tamper(statement);
    expect(await log.verify('acme')).toEqual({ tenantId: 'acme', entries: fault.seq === 5 ? 5 : fault.seq - 1, fault });
  });

  it('is walked to its end, over more than one read', async () => {
    await database.transaction(async (session) => {
      for (let i = 0; i < 1_000; i += 1) await noteAudit(session, note({ at: now + i, after: i }));
    });
    expect(await log.verify('acme')).toEqual({ tenantId: 'acme', entries: 1_000, fault: null });
    await add();
    expect(await log.verify('acme')).toEqual({ tenantId: 'acme', entries: 1_001, fault: null });
  });

  it('is exported through the outbox, each entry once, a tenant’s in their order', async () => {
    for (let i = 0; i < 3; i += 1) await add({ after: { i } });
    await add({ tenantId: '', before: null, after: null });
    const published: ConfigurationChange[] = [];
    const outbox = new Outbox(database);
    const publish = (changes: readonly ConfigurationChange[]): Promise<void> => {
      published.push(...changes);
      return Promise.resolve();
    };
    await outbox.publishPending(publish);
    await outbox.publishPending(publish);
    const entries = published.flatMap((one) => (one.kind === 'audit' ? [one.config] : []));
    expect(entries.map(({ tenantId, seq, after }) => [tenantId, seq, after])).toEqual([
      ['', 1, null],
      ['acme', 1, '{"i":0}'],
      ['acme', 2, '{"i":1}'],
      ['acme', 3, '{"i":2}'],
    ]);
    expect(entries[2]?.prevHash).toEqual(entries[1]?.hash);
  });
});
