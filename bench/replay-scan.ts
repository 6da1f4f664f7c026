/** How fast the log is read again, and a tenth of it sent to an endpoint that did not exist when it was written. */
import { setTimeout as sleep } from 'node:timers/promises';
import { partitionFor } from '#libs/core';
import { machineMs } from './clock.js';
import { appendAll, eventOf } from './load.js';
import { lateOnes } from './order.js';
import { plainConsumeSpeed } from './plain-consumer.js';
import type { Platform } from './platform.js';
import { arrivalsAt, deviationOf, startReplay, untilSent, type Deviation } from './replay.js';
import type { Figures } from './results.js';
import { answering, type Stage } from './stage.js';
import { medianBy, rounded } from './statistics.js';

export interface ReplaySpeed extends Deviation {
  /** Records of the log. */
  readonly events: number;
  /** Of the window that is replayed: a tenth. */
  readonly windowEvents: number;
  readonly windowSeconds: number;
  readonly perSecond: number;
  /** Records per second of a replay over the whole log for a tenant that has one in 1,000 of them. */
  readonly scanPerSecond: number;
  /** The same for the tenant of all others, and a type that none of them has. */
  readonly scanSameTenantPerSecond: number;
  /** kafkajs over the same log. */
  readonly plainPerSecond: number;
  readonly scanOfPlain: number;
  readonly scanSameTenantOfPlain: number;
  readonly outOfOrder: number;
  readonly duplicates: number;
}

const fullSize = 200_000;
const keys = 1_000;
const rareEvery = 1_000;
const runs = 3;
const tag = 'measured';
const atOnce = 20_000;
const slowestPerSecond = 50;
const gapMs = 100;
const main = 'replay-scan-main';
const rare = 'replay-scan-rare';
const warm = 'replay-scan-warm';

export const replayScan = (stage: Stage): Promise<Figures<ReplaySpeed>> =>
  stage.onPlatform(answering([warm]), async (platform) => {
    const events = stage.events(fullSize);
    await platform.createTenant(main);
    await platform.createTenant(rare);
    const [from, to] = [Math.floor(events * 0.45), Math.floor(events * 0.55)];
    const startedAt = new Date().toISOString();
    await appendLog(platform, 0, from);
    const since = await gap();
    await appendLog(platform, from, to);
    const until = await gap();
    await appendLog(platform, to, events);
    await platform.untilDispatched();
    const endpoint = await platform.createEndpoint(main, `/${main}/0`, { ordering: 'key' });
    const rareEndpoint = await platform.createEndpoint(rare, `/${rare}/0`);
    const used = platform.usage();

    const plain: number[] = [];
    const scans: number[] = [];
    const sameTenant: number[] = [];
    const whole = { from: startedAt };
    const topic = platform.topics.events;
    for (let run = 0; run < runs; run += 1) {
      const held = await platform.recordsOf(topic);
      plain.push(await plainConsumeSpeed(platform.services.runtime.kafkaBrokers, topic, held));
      scans.push(await scanSpeed(platform, { tenantId: rare, endpointIds: [rareEndpoint], ...whole }));
      const other = { tenantId: main, endpointIds: [endpoint], eventTypes: ['nothing.*'], ...whole };
      sameTenant.push(await scanSpeed(platform, other));
    }

    const windowEvents = Array.from({ length: to - from }, (_, n) => from + n).filter((n) => !isRare(n)).length;
    const { receiver } = platform.services;
    const { complete } = await receiver.begin(tag, windowEvents, 60_000 + (windowEvents / slowestPerSecond) * 1_000);
    const begunAt = machineMs();
    const { id } = await startReplay(platform, {
      tenantId: main,
      endpointIds: [endpoint],
      from: since,
      to: until,
    });
    await untilSent(platform, id);
    await complete;
    // What should not come has time to.
    await sleep(stage.size(1_000));
    const report = await receiver.report();
    const arrivals = arrivalsAt(report, main);
    const { missing, surplus } = deviationOf(arrivals, from, to);
    const seconds = (report.lastAt - begunAt) / 1_000;
    const [plainPerSecond, scanPerSecond, scanSameTenantPerSecond] = [plain, scans, sameTenant].map(medianOf);
    const share = (speed = Number.NaN): number => rounded(speed / (plainPerSecond ?? Number.NaN), 3);
    return {
      fields: {
        events,
        windowEvents,
        windowSeconds: rounded(seconds, 2),
        perSecond: rounded(report.received / seconds, 0),
        scanPerSecond: rounded(scanPerSecond ?? Number.NaN, 0),
        scanSameTenantPerSecond: rounded(scanSameTenantPerSecond ?? Number.NaN, 0),
        plainPerSecond: rounded(plainPerSecond ?? Number.NaN, 0),
        scanOfPlain: share(scanPerSecond),
        scanSameTenantOfPlain: share(scanSameTenantPerSecond),
        // The rare ones of the window are another tenant's.
        missing: missing - (to - from - windowEvents),
        surplus,
        outOfOrder: lateOnes(arrivals, keys),
        duplicates: report.duplicates,
      },
      processes: used(),
    };
  });

const isRare = (n: number): boolean => n % rareEvery === rareEvery - 1;
const medianOf = (values: readonly number[]): number => medianBy(values, (value) => value);

/** Events number `from` to `to`, over all partitions by their ordering keys. */
async function appendLog(platform: Platform, from: number, to: number): Promise<void> {
  for (let first = from; first < to; first += atOnce) {
    const count = Math.min(atOnce, to - first);
    const records = Array.from({ length: count }, (_, i) => {
      const n = first + i;
      const key = `key-${n % keys}`;
      const record = platform.recordOf({ ...eventOf(tag, isRare(n) ? rare : main, n), subject: key });
      return { ...record, key, partition: partitionFor(key, platform.size.partitions) };
    });
    await appendAll(platform.sender, records);
  }
}

/** A time between what is appended before and after. */
async function gap(): Promise<string> {
  await sleep(gapMs);
  const at = new Date().toISOString();
  await sleep(gapMs);
  return at;
}

async function scanSpeed(platform: Platform, body: object): Promise<number> {
  const begunAt = machineMs();
  const { id } = await startReplay(platform, body);
  const { progress } = await untilSent(platform, id);
  return (progress.scanned / (machineMs() - begunAt)) * 1_000;
}
