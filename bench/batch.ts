/** What batches are for: an endpoint that takes 50 ms for every request. */
import { machineMs } from './clock.js';
import { appendAll, eventOf } from './load.js';
import type { Platform } from './platform.js';
import { busyMs } from './receiver/messages.js';
import type { Figures } from './results.js';
import { countsOf, type Counts } from './scenarios.js';
import { answering, settled, type Stage, type TenantLayout } from './stage.js';
import { rounded } from './statistics.js';

export interface BatchSpeed extends Counts {
  /** Events per second, each in a request of its own, … */
  readonly singlePerSecond: number;
  /** … and in batches of 100. */
  readonly batchedPerSecond: number;
  readonly factor: number;
  /** Of what single requests allow at most, with their in-flight limit. */
  readonly singleOfPossible: number;
}

const singleEvents = 4_000;
const batchedEvents = 40_000;
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
    await speedOf(platform, batched, 'warm-up-batched', stage.size(batchedEvents / 4));
    const used = platform.usage();
    const one = await speedOf(platform, single, 'measured-single', stage.size(singleEvents));
    const many = await speedOf(platform, batched, 'measured-batched', stage.size(batchedEvents));
    const sum = (field: keyof Counts): number => one[field] + many[field];
    return {
      fields: {
        singlePerSecond: rounded(one.perSecond, 0),
        batchedPerSecond: rounded(many.perSecond, 0),
        factor: rounded(many.perSecond / one.perSecond, 1),
        singleOfPossible: rounded((one.perSecond * busyMs) / 1_000 / maxInFlight, 3),
        outOfOrder: sum('outOfOrder'),
        duplicates: sum('duplicates'),
        missing: sum('missing'),
      },
      processes: used(),
    };
  });

async function speedOf(
  platform: Platform,
  tenant: string,
  tag: string,
  count: number,
): Promise<Counts & { readonly perSecond: number }> {
  const records = Array.from({ length: count }, (_, n) => platform.recordOf(eventOf(tag, tenant, n)));
  const from = machineMs();
  const report = await settled(platform, tag, count, () => appendAll(platform.sender, records));
  // A request's events count when it comes: the last of them is answered a little later.
  return { perSecond: (report.received / (report.lastAt - from)) * 1_000, ...countsOf(report, count) };
}
