import { execFile } from 'node:child_process';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { childEnvironment, projectRoot } from '#libs/config';
import { connectDatabase, migrate, TenantRepository, type Database } from '#libs/persistence';
import { createTestDatabase, type TestDatabase } from '#libs/testing';

// Real: PostgreSQL, the command as a process.
let test: TestDatabase;
let database: Database;

beforeAll(async () => {
  test = await createTestDatabase();
  await migrate(test.url);
  database = await connectDatabase(test.url);
  const tenants = new TenantRepository(database);
  for (const id of ['acme', 'other']) {
    await tenants.create({ id, name: id }, 1);
    await tenants.delete(id, 2);
    await tenants.create({ id, name: id }, 3);
  }
});
afterAll(async () => {
  await database?.close();
  await test?.drop();
});

const verify = (...args: string[]): Promise<{ code: number; out: string; err: string }> =>
  new Promise((resolve) => {
    const command = ['--conditions=source', '--import', 'tsx', 'apps/cli/main.ts', 'audit', 'verify', ...args];
    const env = childEnvironment({ DATABASE_URL: test.url });
    execFile(process.execPath, command, { cwd: projectRoot(), env, timeout: 60_000 }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), out, err });
    });
  });

it('says that chains are whole; names what is broken, and ends with 1', async () => {
  expect(await verify()).toEqual({
    code: 0,
    out: 'tenant acme: 3 entries, whole\ntenant other: 3 entries, whole\n',
    err: '',
  });
  await database.transaction(async (session) => {
    await session.query('SET LOCAL session_replication_role = replica');
    await session.query(`UPDATE audit_log SET action = 'tenant.updated' WHERE tenant_id = 'acme' AND seq = 2`);
  });
  expect(await verify()).toEqual({
    code: 1,
    out:
      'tenant acme: BROKEN at entry 2: it does not say what it said when it was added\n' +
      'tenant other: 3 entries, whole\n',
    err: 'the audit log was tampered with: chains that are broken: 1\n',
  });
  expect(await verify('--tenant', 'other')).toMatchObject({ code: 0, out: 'tenant other: 3 entries, whole\n' });
});
