import { execFile } from 'node:child_process';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { childEnvironment, projectRoot } from '#libs/config';
import { topicNames } from '#libs/contracts';
import { connectKafka } from '#libs/kafka';
import { connectDatabase, migrate, Outbox, TenantRepository, type Database } from '#libs/persistence';
import { applySchemas, connectSchemaCodec } from '#libs/schema-codec';
import { createTestDatabase, uniquePrefix, type TestDatabase } from '#libs/testing';

// Real: PostgreSQL, the command as a process; Kafka and the schema registry where the topic is read.
const prefix = uniquePrefix().slice(0, -1);
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
    const env = childEnvironment({
      DATABASE_URL: test.url,
      KAFKA_BROKERS: inject('kafkaBrokers'),
      SCHEMA_REGISTRY_URL: inject('schemaRegistryUrl'),
      POSTHORN_TOPIC_PREFIX: prefix,
    });
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

/** As an api does with what waits in the outbox. */
async function exportEntries(): Promise<void> {
  await applySchemas({ registryUrl: inject('schemaRegistryUrl'), eventsFolder: `${projectRoot()}/schemas/events` });
  const { platform } = await connectSchemaCodec({ registryUrl: inject('schemaRegistryUrl') });
  const kafka = connectKafka({ brokers: inject('kafkaBrokers').split(','), clientId: 'audit-test' });
  const [administration, sender] = [kafka.administration(), kafka.sender()];
  const topic = topicNames(prefix).audit;
  await administration.ensure([{ name: topic, partitions: 1, replicationFactor: 1, config: {} }]);
  await new Outbox(database).publishPending(async (changes) => {
    const entries = changes.flatMap((one) => (one.kind === 'audit' && one.config !== null ? [one.config] : []));
    await sender.send(
      entries.map((entry) => ({ topic, partition: 0, key: entry.tenantId, value: platform.auditEntry.encode(entry) })),
    );
  });
  await Promise.all([administration.close(), sender.close()]);
}

it('finds with --topic that the newest entries were cut off, and the head with them', async () => {
  await exportEntries();
  await database.transaction(async (session) => {
    await session.query('SET LOCAL session_replication_role = replica');
    await session.query(`DELETE FROM audit_log WHERE tenant_id = 'other' AND seq = 3`);
    await session.query(
      `UPDATE audit_heads h SET seq = l.seq, hash = l.hash, prev_hash = l.prev_hash FROM audit_log l
       WHERE h.tenant_id = 'other' AND l.tenant_id = 'other' AND l.seq = 2`,
    );
  });
  expect(await verify('--tenant', 'other')).toMatchObject({ code: 0, out: 'tenant other: 2 entries, whole\n' });
  expect(await verify('--tenant', 'other', '--topic')).toEqual({
    code: 1,
    out:
      'tenant other: 2 entries, whole\nthe topic: 3 entries compared\n' +
      'tenant other: BROKEN at entry 3: it stands in the topic, and is gone from the log\n',
    err: 'the audit log was tampered with: chains that are broken: 1\n',
  });
});
