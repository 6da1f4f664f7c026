import { measureLimit } from './limit.js';
import type { AnyFigures, Figures, Outcome } from './results.js';
import { fanout, latency, neighbours, throughput, throughputRest, type Delay, type Speed } from './scenarios.js';
import type { Services } from './services.js';
import { mean, medianBy, rounded } from './statistics.js';

const speeds = { throughput, 'throughput-rest': throughputRest, fanout } as const;

export const scenarioNames = ['limit', ...Object.keys(speeds), 'latency', 'neighbours'] as const;

type Say = (line: string) => void;

/**
 * Measures scenarios one after the other, with what they are compared to: the limit before and after those of full
 * speed, latency before neighbours.
 * @returns figures by scenario; those that were measured only for comparison too
 */
export async function round(
  services: Services,
  wanted: ReadonlySet<string>,
  say: Say,
): Promise<Map<string, AnyFigures>> {
  const results = new Map<string, AnyFigures>();
  const measured = async <T extends object>(name: string, work: Promise<Figures<T>>): Promise<Figures<T>> => {
    say(`measuring ${name} ...`);
    const figures = await work;
    say(`  ${JSON.stringify(figures.fields)}`);
    return figures;
  };
  const limit = (): Promise<Figures<{ perSecond: number }>> => measured('limit', measureLimit(services.receiver));

  const fast = Object.entries(speeds).filter(([name]) => wanted.has(name));
  if (fast.length > 0 || wanted.has('limit')) {
    const before = await limit();
    const figures: [string, Figures<Speed>][] = [];
    for (const [name, scenario] of fast) figures.push([name, await measured(name, scenario(services))]);
    const after = await limit();
    const ends = [before.fields.perSecond, after.fields.perSecond];
    const perSecond = rounded(mean(ends), 0);
    results.set('limit', {
      fields: { perSecond, before: before.fields.perSecond, after: after.fields.perSecond },
      processes: after.processes,
    });
    for (const [name, { fields, processes }] of figures) {
      const { perSecond: reached, ...counts } = fields;
      const ofLimit = rounded(reached / perSecond, 3);
      results.set(name, { fields: { perSecond: reached, ofLimit, ...counts }, processes });
    }
  }
  if (wanted.has('latency') || wanted.has('neighbours')) {
    const alone = await measured('latency', latency(services));
    results.set('latency', withNumbers(alone));
    if (wanted.has('neighbours')) {
      const beside = await measured('neighbours', neighbours(services));
      const ratio = rounded(beside.fields.p99Ms / alone.fields.p99Ms, 2);
      results.set('neighbours', { fields: { ...beside.fields, ratio }, processes: beside.processes });
    }
  }
  return results;
}

/** Of each scenario the run whose main figure is the median: deliveries per second, or the 99th percentile. */
export function outcomesOf(rounds: readonly ReadonlyMap<string, AnyFigures>[]): readonly Outcome[] {
  return scenarioNames.flatMap((name) => {
    const all = rounds.map((one) => one.get(name)).filter((figures) => figures !== undefined);
    if (all.length === 0) return [];
    const median = medianBy(all, ({ fields }) => fields['perSecond'] ?? fields['p99Ms'] ?? Number.NaN);
    return [{ name, median, all }];
  });
}

function withNumbers({ fields, processes }: Figures<Delay>): AnyFigures {
  return { fields: { ...fields }, processes };
}
