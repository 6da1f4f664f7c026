/** What endpoints that do not want an event cost the dispatcher: the same ten want it, among ever more that do not. */
import { setTimeout as sleep } from 'node:timers/promises';
import { appendBystanders } from './bystanders.js';
import { machineMs } from './clock.js';
import { appendAll, eventOf } from './load.js';
import type { EndpointSettings, Platform } from './platform.js';
import type { Figures } from './results.js';
import { pathOf, settled, type Stage } from './stage.js';
import { medianBy, rounded } from './statistics.js';

export interface IndexSpeed {
  /** Events per second of the dispatcher alone, with 10 endpoints, … */
  readonly perSecond10: number;
  /** … with 1,000 … */
  readonly perSecond1000: number;
  /** … and with 100,000. */
  readonly perSecond100000: number;
  /** The fastest of the three over the slowest. */
  readonly ratio: number;
  /** Processor time of the dispatcher per event, in microseconds; 0 where it cannot be told. */
  readonly cpuUs10: number;
  readonly cpuUs1000: number;
  readonly cpuUs100000: number;
  readonly dispatcherMb10: number;
  readonly dispatcherMb100000: number;
  readonly duplicates: number;
  readonly missing: number;
  /** Receipts of endpoints that want nothing. */
  readonly surplus: number;
}

const matching = 10;
const sizes = [10, 1_000, 100_000] as const;
const measuredEvents = 2_000;
/** One more goes before them, and does not count. */
const runs = 3;
const tag = 'measured';
const tenant = 'fanout-index';
const subjects = 1_000;
const lookMs = 10;
const dispatchedMs = 120_000;
const slowestPerSecond = 500;

/** Those of one size. */
interface Step {
  readonly perSecond: number;
  readonly cpuUs: number;
  readonly dispatcherMb: number;
}

export const fanoutIndex = (stage: Stage): Promise<Figures<IndexSpeed>> =>
  stage.onPlatform([{ name: 'fanout-index-warm', endpoints: matching, behaviour: 'answers' }], async (platform) => {
    await platform.createTenant(tenant);
    for (let n = 0; n < matching; n += 1) await platform.createEndpoint(tenant, pathOf(tenant, n), settingsOf(n));
    // The dispatcher is measured alone: what it makes waits for the worker.
    await platform.killWorker();
    const used = platform.usage();
    const events = stage.size(measuredEvents);
    const steps: Step[] = [];
    let [bystanders, sent] = [0, 0];
    for (const size of sizes) {
      const wanted = stage.size(size - matching, 0);
      await appendBystanders(platform, tenant, bystanders, wanted);
      bystanders = wanted;
      await untilRead(platform, `fanout-index-probe-${size}`);
      const measured: Step[] = [];
      for (let run = 0; run <= runs; run += 1) {
        measured.push(await dispatched(platform, sent, events));
        sent += events;
      }
      steps.push(medianBy(measured.slice(1), ({ perSecond }) => perSecond));
    }
    const processes = used();

    const expected = sent * matching;
    const load = (): Promise<void> => platform.launchWorker();
    const report = await settled(platform, tag, expected, load, 60_000 + (expected / slowestPerSecond) * 1_000);
    const paths = new Set(Array.from({ length: matching }, (_, n) => pathOf(tenant, n)));
    const wantedOnes = report.paths.filter(({ path }) => paths.has(path)).flatMap(({ arrivals }) => arrivals);
    const received = wantedOnes.filter((at) => at > 0).length;
    const [few, more, most] = steps;
    const speeds = steps.map(({ perSecond }) => perSecond);
    return {
      fields: {
        perSecond10: rounded(few?.perSecond ?? Number.NaN, 0),
        perSecond1000: rounded(more?.perSecond ?? Number.NaN, 0),
        perSecond100000: rounded(most?.perSecond ?? Number.NaN, 0),
        ratio: rounded(Math.max(...speeds) / Math.min(...speeds), 3),
        cpuUs10: rounded(few?.cpuUs ?? Number.NaN, 0),
        cpuUs1000: rounded(more?.cpuUs ?? Number.NaN, 0),
        cpuUs100000: rounded(most?.cpuUs ?? Number.NaN, 0),
        dispatcherMb10: few?.dispatcherMb ?? Number.NaN,
        dispatcherMb100000: most?.dispatcherMb ?? Number.NaN,
        duplicates: report.duplicates,
        missing: expected - received,
        surplus: report.received - received,
      },
      processes,
    };
  });

/** Of those that want every event, in turn: no filter, one that an attribute fits, one that the data fits. */
const settingsOf = (n: number): EndpointSettings =>
  [{}, { filters: [{ exact: { source: '/bench' } }] }, { filters: [{ cel: 'data.taskId == "task-1"' }] }][n % 3] ?? {};

/** The events lie in the log when the dispatcher goes on; the time ends when the last of its deliveries does. */
async function dispatched(platform: Platform, from: number, events: number): Promise<Step> {
  const records = Array.from({ length: events }, (_, i) => {
    const n = from + i;
    return platform.recordOf({ ...eventOf(tag, tenant, n), subject: `task/${n % subjects}` });
  });
  const { deliveries } = platform.topics;
  const wanted = (await platform.recordsOf(deliveries)) + events * matching;
  await platform.whileStopped('dispatcher', () => appendAll(platform.sender, records));
  const used = platform.usage();
  const begunAt = machineMs();
  while ((await platform.recordsOf(deliveries)) < wanted) {
    if (machineMs() - begunAt > dispatchedMs) throw new Error('the dispatcher has not dispatched the events in time');
    await sleep(lookMs);
  }
  const seconds = (machineMs() - begunAt) / 1_000;
  const cpuSeconds = used()['dispatcher']?.cpuSeconds ?? 0;
  return {
    perSecond: events / seconds,
    cpuUs: (cpuSeconds / events) * 1_000_000,
    dispatcherMb: platform.residentMb('dispatcher'),
  };
}

/** Resolves when dispatchers know all that stands in the endpoints topic: an endpoint that came last is sent to. */
async function untilRead(platform: Platform, probe: string): Promise<void> {
  await platform.createTenant(probe);
  await platform.createEndpoint(probe, pathOf(probe, 0));
  const before = await platform.recordsOf(platform.topics.deliveries);
  const deadline = machineMs() + dispatchedMs;
  for (let n = 0; (await platform.recordsOf(platform.topics.deliveries)) === before; n += 1) {
    if (machineMs() > deadline) throw new Error('the dispatcher has not read the endpoints in time');
    await platform.sender.send([platform.recordOf(eventOf('probe', probe, n))]);
    await sleep(100);
  }
  await platform.untilDispatched();
}
