/** The app as a whole, in its module: it starts, says that it is ready, and stops. Real: broker, registry, database. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, inject, it } from 'vitest';
import { parseConfig } from '#libs/config';
import { topicSpecs } from '#libs/contracts';
import { createLogger } from '#libs/observability';
import { kafkaLog, startApp } from '#libs/platform';
import { migrate } from '#libs/persistence';
import { applySchemas } from '#libs/schema-codec';
import { createTestDatabase, uniquePrefix } from '#libs/testing';
import { dispatcherApp } from './index.js';

it('starts, is ready once endpoints are read and partitions assigned, and stops', async () => {
  const registryUrl = inject('schemaRegistryUrl');
  const prefix = `${uniquePrefix()}module`;
  const database = await createTestDatabase();
  await migrate(database.url);
  const config = parseConfig({
    KAFKA_BROKERS: inject('kafkaBrokers'),
    SCHEMA_REGISTRY_URL: registryUrl,
    DATABASE_URL: database.url,
    POSTHORN_DISPATCHER_PORT: '0',
    POSTHORN_TOPIC_PREFIX: prefix,
  });
  const logger = createLogger({ name: 'dispatcher', level: 'silent' });
  await applySchemas({ registryUrl, eventsFolder: join(import.meta.dirname, '../../../schemas/events') });
  const administration = kafkaLog('test', config, logger).administration();
  const layout = { prefix, eventPartitions: 2, deliveryPartitions: 2, replicationFactor: 1, minInSyncReplicas: 1 };
  await administration.ensure(topicSpecs({ ...layout, maxMessageBytes: 1_048_576 }));
  await administration.close();
  const running = await startApp(dispatcherApp, config, logger);
  let ready = await fetch(`${running.url}/readyz`);
  for (let tries = 0; ready.status !== 200 && tries < 100; tries += 1) {
    await sleep(100);
    ready = await fetch(`${running.url}/readyz`);
  }
  expect(await ready.json()).toMatchObject({ ready: true, checks: { dispatcher: 'ok', kafka: 'ok' } });
  const metrics = await (await fetch(`${running.url}/metrics`)).text();
  expect(metrics).toContain('posthorn_deliveries_dispatched_total');
  const before = performance.now();
  await running.close();

  const tookMs = performance.now() - before;
  await database.drop();
  expect(tookMs).toBeLessThan(3_000);
});
