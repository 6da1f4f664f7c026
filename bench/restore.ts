/** How long a worker needs from its start until it sends, when 100,000 deliveries wait for a retry. */
import { setTimeout as sleep } from 'node:timers/promises';
import { machineMs } from './clock.js';
import { appendAll } from './load.js';
import type { Figures } from './results.js';
import { answering, eventsFor, pathOf, tenantsOf, type Stage, type TenantLayout } from './stage.js';
import { rounded } from './statistics.js';

export interface RestoreTime {
  /** Deliveries that wait in the retry topics. */
  readonly outstanding: number;
  /** From the start of the process until `/readyz` answers 200. */
  readonly readySeconds: number;
  /** From the start of the process to the first POST of what was appended while no worker ran. */
  readonly firstPostSeconds: number;
  /** The same to the last endpoint's first POST: all its partitions are restored. */
  readonly lastPostSeconds: number;
  readonly workerMbAfter: number;
  readonly duplicates: number;
  readonly missing: number;
}

const outstandingDeliveries = 100_000;
const failingEndpoints = 10;
const live = tenantsOf('restore-live', 10);
const failedMs = 300_000;
const restoredMs = 120_000;

export const restore = (stage: Stage): Promise<Figures<RestoreTime>> => {
  const failing: TenantLayout = {
    name: 'restore-failing',
    endpoints: failingEndpoints,
    behaviour: 'fails',
    settings: {
      maxInFlight: 64,
      retry: { delaysMs: [1_800_000], jitter: 0, maxDelayMs: 3_600_000 },
      // Not spared because it fails: each of them is POSTed, and waits half an hour.
      circuit: { consecutiveFailures: 1_000_000, minRequests: 1_000_000 },
      adaptiveConcurrency: false,
    },
  };
  return stage.onPlatform([...answering(live), failing], async (platform) => {
    const events = eventsFor([failing.name], 'failed', stage.size(outstandingDeliveries / failingEndpoints));
    const outstanding = events.length * failingEndpoints;
    const retried = 'posthorn_deliveries_retried_total';
    const before = await platform.counted('worker', retried);
    await appendAll(
      platform.sender,
      events.map((event) => platform.recordOf(event)),
    );
    await platform.untilCounted('worker', retried, before + outstanding, failedMs);
    await platform.killWorker();
    // Its session must run out first: until then the group waits for it, not for the restore.
    await sleep(platform.size.sessionTimeoutMs + 1_000);
    const { complete } = await platform.services.receiver.begin('measured', live.length, restoredMs);
    const probes = eventsFor(live, 'measured', live.length);
    await platform.sender.send(probes.map((event) => platform.recordOf(event)));
    const from = machineMs();
    await platform.launchWorker();
    const readySeconds = rounded((machineMs() - from) / 1_000, 2);
    await complete;
    const report = await platform.services.receiver.report();
    const paths = new Set(live.map((tenant) => pathOf(tenant, 0)));
    const times = report.paths
      .filter(({ path }) => paths.has(path))
      .map(({ arrivals }) => rounded(((arrivals[0] ?? Number.NaN) - from) / 1_000, 2));
    return {
      fields: {
        outstanding,
        readySeconds,
        firstPostSeconds: Math.min(...times),
        lastPostSeconds: Math.max(...times),
        workerMbAfter: platform.residentMb('worker'),
        duplicates: report.duplicates,
        missing: live.length - report.received,
      },
      processes: platform.usage()(),
    };
  });
};
