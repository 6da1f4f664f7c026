/** What batches are for: an endpoint that takes 50 ms for every request. */
import { machineMs } from './clock.js';
import { appendAll, eventOf } from './load.js';
import type { Platform } from './platform.js';
import { busyMs } from './receiver/messages.js';
import type { Figures } from './results.js';
import { countsOf, type Counts, type Speed } from './scenarios.js';
import { answering, settled, type Stage, type TenantLayout } from './stage.js';
import { medianBy, rounded } from './statistics.js';

export interface BatchSpeed extends Counts {
  /** Events per second, each in a request of its own, … */
  readonly singlePerSecond: number;
  /** … and in batches of 100. */
  readonly batchedPerSecond: number;
  readonly factor: number;
  /** Of what single requests allow at most, with their in-flight limit. */
  readonly singleOfPossible: number;
  /** Of the POSTs that were batches. */
  readonly eventsPerBatch: number;
}

const singleEvents = 2_000;
/** No more than an endpoint may have outstanding: beyond it the log would be read again, at a pace of its own. */
const batchedEvents = 10_000;
const runs = 3;
const maxInFlight = 16;
const batch = { maxEvents: 100, maxBytes: 262_144, maxWaitMs: 200 };
const [single, batched] = ['batch-single', 'batch-batched'];

const layout: readonly TenantLayout[] = [
  ...answering(['batch-warm']),
  { name: single, endpoints: 1, behaviour: 'busy', settings: { maxInFlight } },
  { name: batched, endpoints: 1, behaviour: 'busy', settings: { maxInFlight, batch } },
];

export const batches = (stage: Stage): Promise<Figures<BatchSpeed>> =>
  stage.onPlatform(layout, async (platform) => {
    await platform.untilDelivered([single, batched], 2);
    await speedOf(platform, batched, 'warm-up-batched', stage.size(batchedEvents));
    const used = platform.usage();
    const before = await batchesOf(platform);
    const [one, many]: [Speed[], Speed[]] = [[], []];
    for (let run = 0; run < runs; run += 1) {
      one.push(await speedOf(platform, single, `single-${run}`, stage.size(singleEvents)));
      many.push(await speedOf(platform, batched, `batched-${run}`, stage.size(batchedEvents)));
    }
    const after = await batchesOf(platform);
    const [{ perSecond: singly }, { perSecond: together }] = [medianOf(one), medianOf(many)];
    const sum = (field: keyof Counts): number =>
      [...one, ...many].reduce((total, { [field]: count }) => total + count, 0);
    return {
      fields: {
        singlePerSecond: rounded(singly, 0),
        batchedPerSecond: rounded(together, 0),
        factor: rounded(together / singly, 1),
        singleOfPossible: rounded((singly * busyMs) / 1_000 / maxInFlight, 3),
        eventsPerBatch: rounded((after.events - before.events) / (after.posts - before.posts), 1),
        outOfOrder: sum('outOfOrder'),
        duplicates: sum('duplicates'),
        missing: sum('missing'),
      },
      processes: used(),
    };
  });

const medianOf = (speeds: readonly Speed[]): Speed => medianBy(speeds, ({ perSecond }) => perSecond);

/** By what the worker has counted. */
async function batchesOf(platform: Platform): Promise<{ readonly posts: number; readonly events: number }> {
  const [posts, events] = await Promise.all([
    platform.counted('worker', 'posthorn_batch_events_count'),
    platform.counted('worker', 'posthorn_batch_events_sum'),
  ]);
  return { posts, events };
}

async function speedOf(platform: Platform, tenant: string, tag: string, count: number): Promise<Speed> {
  const records = Array.from({ length: count }, (_, n) => platform.recordOf(eventOf(tag, tenant, n)));
  const from = machineMs();
  // The events of a request count when it comes, 50 ms before it is answered.
  const report = await settled(platform, tag, count, () => appendAll(platform.sender, records));
  return { perSecond: (report.received / (report.lastAt - from)) * 1_000, ...countsOf(report, count) };
}
