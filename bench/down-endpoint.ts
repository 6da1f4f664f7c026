/** An endpoint that is down for long, beside others that are not: what waits for it waits in the log. */
import { atPace, perSecond as livePerSecond } from './isolation.js';
import { appendPaced, eventOf } from './load.js';
import { lateOnes } from './order.js';
import type { Platform } from './platform.js';
import { switchedPrefix } from './receiver/messages.js';
import { arrivalsAt, deviationOf } from './replay.js';
import type { Figures } from './results.js';
import { answering, tenantsOf, type Stage } from './stage.js';
import { rounded } from './statistics.js';
import { machineMs } from './clock.js';

export interface DownTime {
  /** For the endpoint that is down. */
  readonly events: number;
  /** What was sent to its worker before it was frozen. */
  readonly dispatched: number;
  /** Of the others' deliveries: before, … */
  readonly aloneP99Ms: number;
  /** … while the events of the one that is down come, 500 a second, … */
  readonly comingP99Ms: number;
  /** … and while they wait. */
  readonly p99Ms: number;
  /** Of the last to the first. */
  readonly ratio: number;
  readonly workerMbBefore: number;
  /** While all of it waits. */
  readonly workerMbDown: number;
  readonly workerMbAfter: number;
  /** From when it is back to its last receipt. */
  readonly caughtUpSeconds: number;
  readonly perSecond: number;
  readonly outOfOrder: number;
  readonly duplicates: number;
  readonly missing: number;
  readonly surplus: number;
}

const fullSize = 20_000;
const keys = 100;
const seconds = 30;
const comingPerSecond = 500;
const caughtUpPerSecond = 100;
const frozenMs = 60_000;
const live = tenantsOf('down-live', 10);
const down = 'down-down';
const dispatchedTotal = 'posthorn_deliveries_dispatched_total';

/** Its circuit closes soon after it is back, and what failed is not far behind. */
const settings = {
  ordering: 'key',
  maxInFlight: 32,
  retry: { kind: 'schedule', delaysMs: Array.from({ length: 100 }, () => 2_000), jitter: 0 },
  circuit: { openMs: 2_000, maxOpenMs: 4_000 },
};

export const downEndpoint = (stage: Stage): Promise<Figures<DownTime>> =>
  stage.onPlatform(answering(live), async (platform) => {
    const { receiver } = platform.services;
    const events = stage.events(fullSize);
    await receiver.switch(true);
    await platform.createTenant(down);
    const endpoint = await platform.createEndpoint(down, `${switchedPrefix}/${down}/0`, settings);
    const used = platform.usage();
    const { fields: alone } = await atPace(platform, answering(live), stage.size(seconds, 2), 'alone');
    const workerMbBefore = platform.residentMb('worker');
    const before = await platform.counted('dispatcher', dispatchedTotal);
    const comingSeconds = Math.max(2, Math.ceil(events / comingPerSecond));
    const records = Array.from({ length: events }, (_, n) =>
      platform.recordOf({ ...eventOf('down', down, n), subject: `key-${n % keys}` }),
    );
    const [{ fields: coming }] = await Promise.all([
      atPace(platform, answering(live), comingSeconds, 'coming'),
      appendPaced(platform.sender, records, comingPerSecond),
    ]);
    await platform.untilDispatched();
    if (events > 10_000) await untilFrozen(platform, endpoint);
    const { fields: waiting } = await atPace(platform, answering(live), stage.size(seconds, 2), 'waiting');
    const sentLive = (comingSeconds + stage.size(seconds, 2)) * livePerSecond;
    const dispatched = (await platform.counted('dispatcher', dispatchedTotal)) - before - sentLive;
    const workerMbDown = platform.residentMb('worker');

    const { complete } = await receiver.begin('down', events, 120_000 + (events / caughtUpPerSecond) * 1_000);
    const backAt = machineMs();
    await receiver.switch(false);
    await complete;
    const report = await receiver.report();
    const arrivals = arrivalsAt(report, down, switchedPrefix);
    const took = (report.lastAt - backAt) / 1_000;
    return {
      fields: {
        events,
        dispatched,
        aloneP99Ms: alone.p99Ms,
        comingP99Ms: coming.p99Ms,
        p99Ms: waiting.p99Ms,
        ratio: rounded(waiting.p99Ms / alone.p99Ms, 2),
        workerMbBefore,
        workerMbDown,
        workerMbAfter: platform.residentMb('worker'),
        caughtUpSeconds: rounded(took, 2),
        perSecond: rounded(report.received / took, 0),
        outOfOrder: lateOnes(arrivals, keys),
        duplicates: report.duplicates,
        ...deviationOf(arrivals, 0, events),
      },
      processes: used(),
    };
  });

async function untilFrozen(platform: Platform, endpoint: string): Promise<void> {
  const deadline = machineMs() + frozenMs;
  for (;;) {
    const { state } = await platform.call<{ state: string }>('GET', `/v1/endpoints/${endpoint}/backlog`);
    if (state === 'frozen' || state === 'catching-up') return;
    if (machineMs() > deadline) throw new Error(`an endpoint with too much outstanding is ${state}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
