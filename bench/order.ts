/** What order costs: 1,000 keys, one endpoint that answers in 20 ms, the same in-flight limit for every kind of order. */
import { appendAll, eventOf } from './load.js';
import { slowMs, slowPrefix, type Report } from './receiver/messages.js';
import type { Figures } from './results.js';
import { machineMs } from './clock.js';
import { pathOf, settled, tenantsOf, type Stage, type TenantLayout } from './stage.js';
import { rounded } from './statistics.js';

export interface OrderSpeed {
  /** With `key`. */
  readonly perSecond: number;
  /** With `none`. */
  readonly unorderedPerSecond: number;
  /** `key` over `none`. */
  readonly ratio: number;
  /** With `endpoint`: one request at a time. */
  readonly strictPerSecond: number;
  /** Of what one request after the other with 20 ms each allows at most. */
  readonly strictOfSerial: number;
  /** First receipts that came after one of a later event of their key, or with `endpoint`, of any key. */
  readonly outOfOrder: number;
  readonly duplicates: number;
  readonly missing: number;
}

const keys = 1_000;
const maxInFlight = 32;
const events = 16_000;
const strictEvents = 500;
const orderings = ['none', 'key', 'endpoint'] as const;

export const order = (stage: Stage): Promise<Figures<OrderSpeed>> => {
  const tenants = tenantsOf('order', orderings.length);
  const layout = tenants.map((name, n): TenantLayout => ({
    name,
    endpoints: 1,
    behaviour: 'slow',
    settings: { ordering: orderings[n] ?? 'none', maxInFlight },
  }));
  return stage.onPlatform(layout, async (platform) => {
    const used = platform.usage();
    const runs: { perSecond: number; outOfOrder: number; duplicates: number; missing: number }[] = [];
    for (const [n, tenant] of tenants.entries()) {
      const ordering = orderings[n] ?? 'none';
      const count = stage.size(ordering === 'endpoint' ? strictEvents : events, 20);
      const tag = `measured-${ordering}`;
      const records = Array.from({ length: count }, (_, i) =>
        platform.recordOf({ ...eventOf(tag, tenant, i), subject: `key-${i % keys}` }),
      );
      const from = machineMs();
      const report = await settled(platform, tag, count, () => appendAll(platform.sender, records));
      const arrivals = report.paths.find(({ path }) => path === slowPrefix + pathOf(tenant, 0))?.arrivals ?? [];
      runs.push({
        perSecond: (report.received / (report.lastAt - from)) * 1_000,
        outOfOrder: ordering === 'none' ? 0 : lateOnes(arrivals, ordering === 'key' ? keys : 1),
        duplicates: report.duplicates,
        missing: count - report.received,
      });
    }
    const [none, key, strict] = runs;
    const sum = (field: 'outOfOrder' | 'duplicates' | 'missing'): number =>
      runs.reduce((total, run) => total + run[field], 0);
    const speed = (run: { perSecond: number } | undefined): number => run?.perSecond ?? Number.NaN;
    return {
      fields: {
        perSecond: rounded(speed(key), 0),
        unorderedPerSecond: rounded(speed(none), 0),
        ratio: rounded(speed(key) / speed(none), 3),
        strictPerSecond: rounded(speed(strict), 1),
        strictOfSerial: rounded((speed(strict) * slowMs) / 1_000, 3),
        outOfOrder: sum('outOfOrder'),
        duplicates: sum('duplicates'),
        missing: sum('missing'),
      },
      processes: used(),
    };
  });
};

/** How many came before one of a lower number with the same remainder. */
export function lateOnes(arrivals: Report['paths'][number]['arrivals'], remainders: number): number {
  const latest = new Map<number, number>();
  let late = 0;
  for (const [n, at] of arrivals.entries()) {
    if (at === 0) continue;
    const key = n % remainders;
    if (at < (latest.get(key) ?? 0)) late += 1;
    else latest.set(key, at);
  }
  return late;
}
