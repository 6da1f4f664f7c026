import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { uniquePrefix } from '#libs/testing';
import { deadEndpoint, neighboursFailing } from '../../bench/isolation.js';
import { order } from '../../bench/order.js';
import { Platform } from '../../bench/platform.js';
import { ReceiverProcess } from '../../bench/receiver-process.js';
import { restore } from '../../bench/restore.js';
import { throughput } from '../../bench/scenarios.js';
import type { Services } from '../../bench/services.js';
import { Stage } from '../../bench/stage.js';

/**
 * The bench at a hundredth of its size, all scenarios on one platform: that they measure what they say, not how fast it
 * is. Real: all.
 */
describe('the bench, in small', () => {
  let receiver: ReceiverProcess;
  let platform: Platform;
  let stage: Stage;
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-bench-smoke-'));

  beforeAll(async () => {
    receiver = await ReceiverProcess.start();
    const services: Services = {
      name: uniquePrefix().replace(/\.$/, '').replace('-', '_'),
      runtime: {
        kafkaBrokers: inject('kafkaBrokers'),
        schemaRegistryUrl: inject('schemaRegistryUrl'),
        databaseUrl: inject('databaseUrl'),
      },
      receiver,
      folder,
      pids: {},
      kafkaVersion: null,
      users: new Set(),
      stop: () => Promise.resolve(),
    };
    platform = await Platform.start(services, { partitions: 2, sessionTimeoutMs: 6_000 });
    stage = new Stage(services, 0.01, platform);
  });
  afterAll(async () => {
    await platform?.stop();
    await receiver?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('throughput: everything that is appended comes', async () => {
    const { fields } = await throughput(stage);
    expect(fields).toMatchObject({ missing: 0, duplicates: 0 });
    expect(fields.perSecond).toBeGreaterThan(0);
  });

  it('neighbours-failing: the endpoints that answer get all of theirs', async () => {
    const { fields } = await neighboursFailing(stage);
    expect(fields).toMatchObject({ missing: 0, duplicates: 0 });
    expect(fields.p99Ms).toBeGreaterThan(0);
  });

  it('dead-endpoint: the others get all of theirs, and the memory of the worker is told', async () => {
    const { fields } = await deadEndpoint(stage);
    expect(fields).toMatchObject({ missing: 0, duplicates: 0 });
    if (process.platform === 'linux') expect(fields.workerMbAfter).toBeGreaterThan(10);
  });

  it('order: nothing is out of order, and one request at a time is no faster than it can be', async () => {
    const { fields } = await order(stage);
    expect(fields).toMatchObject({ missing: 0, duplicates: 0, outOfOrder: 0 });
    expect(fields.strictOfSerial).toBeGreaterThan(0);
    expect(fields.strictOfSerial).toBeLessThan(1.2);
  });

  it('restore: a worker that was killed is followed by one that goes on', async () => {
    const { fields } = await restore(stage);
    expect(fields).toMatchObject({ outstanding: 1_000, missing: 0, duplicates: 0 });
    expect(fields.readySeconds).toBeGreaterThan(0);
    expect(fields.lastPostSeconds).toBeGreaterThanOrEqual(fields.firstPostSeconds);
  });
});
