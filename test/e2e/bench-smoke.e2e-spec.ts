import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { uniquePrefix } from '#libs/testing';
import { batches } from '../../bench/batch.js';
import { deliveryLog } from '../../bench/delivery-log.js';
import { downEndpoint } from '../../bench/down-endpoint.js';
import { fanoutIndex } from '../../bench/fanout-index.js';
import { deadEndpoint, neighboursFailing } from '../../bench/isolation.js';
import { order } from '../../bench/order.js';
import { Platform } from '../../bench/platform.js';
import { ReceiverProcess } from '../../bench/receiver-process.js';
import { recover } from '../../bench/recover.js';
import { replayBesideLive } from '../../bench/replay-beside-live.js';
import { replayScan } from '../../bench/replay-scan.js';
import { restore } from '../../bench/restore.js';
import { fanout, fanoutWide, throughput, throughputRest } from '../../bench/scenarios.js';
import type { Services } from '../../bench/services.js';
import { Stage } from '../../bench/stage.js';
import { leftBehind, refuseSightings } from './secrecy/left-behind.js';

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
    const found = platform && (await leftBehind(platform.apps));
    await platform?.stop();
    await receiver?.stop();
    rmSync(folder, { recursive: true, force: true });
    if (found) refuseSightings(found);
  });

  it('throughput: everything that is appended comes', async () => {
    const { fields } = await throughput(stage);
    expect(fields).toMatchObject({ missing: 0, duplicates: 0 });
    expect(fields.perSecond).toBeGreaterThan(0);
  });

  it('throughput-rest and fanout: the same over REST, and to fifty endpoints', async () => {
    for (const scenario of [throughputRest, fanout]) {
      const { fields } = await scenario(stage);
      expect(fields).toMatchObject({ missing: 0, duplicates: 0 });
      expect(fields.perSecond).toBeGreaterThan(0);
    }
  });

  it('fanout-1000: every endpoint gets every event, alone or not', async () => {
    const { fields } = await fanoutWide(stage);
    expect(fields).toMatchObject({ missing: 0, duplicates: 0 });
    expect(fields.perSecond).toBeGreaterThan(0);
    expect(fields.alonePerSecond).toBeGreaterThan(0);
  });

  it('batch: events travel together, and each comes once', async () => {
    const { fields } = await batches(stage);
    expect(fields).toMatchObject({ missing: 0, duplicates: 0 });
    expect(fields.eventsPerBatch).toBeGreaterThan(1);
    expect(fields.eventsPerBatch).toBeLessThanOrEqual(100);
    expect(fields.singlePerSecond).toBeGreaterThan(0);
    expect(fields.batchedPerSecond).toBeGreaterThan(0);
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

  it('fanout-index: among endpoints that want nothing, those that do get all, and the others nothing', async () => {
    const { fields } = await fanoutIndex(stage);
    expect(fields).toMatchObject({ missing: 0, duplicates: 0, surplus: 0 });
    for (const speed of [fields.perSecond10, fields.perSecond1000, fields.perSecond100000])
      expect(speed).toBeGreaterThan(0);
    expect(fields.ratio).toBeGreaterThanOrEqual(1);
  });

  it('replay-scan and replay-beside-live: what is read again comes, and only that', async () => {
    const { fields: scan } = await replayScan(stage);
    expect(scan).toMatchObject({ events: 2_000, missing: 0, surplus: 0, duplicates: 0, outOfOrder: 0 });
    expect(scan.plainPerSecond).toBeGreaterThan(0);
    const { fields: beside } = await replayBesideLive(stage);
    expect(beside).toMatchObject({ missing: 0, duplicates: 0 });
    expect(beside.replayedPerSecond).toBeGreaterThan(0);
  });

  it('down-endpoint and recover: all of it comes when the endpoint is back', async () => {
    const { fields: down } = await downEndpoint(stage);
    expect(down).toMatchObject({ events: 200, missing: 0, surplus: 0, outOfOrder: 0 });
    const { fields: recovered } = await recover(stage);
    expect(recovered).toMatchObject({ deadLetters: 50, missing: 0, surplus: 0, duplicates: 0 });
  });

  it('delivery-log: every filter is answered, to the operator and to a tenant', async () => {
    const { fields } = await deliveryLog(stage);
    expect(fields).toMatchObject({ rows: 10_000, filters: 64 });
    expect(fields.p50Ms).toBeGreaterThan(0);
    expect(fields.worstP95Ms).toBeGreaterThanOrEqual(fields.p50Ms);
  });
});
