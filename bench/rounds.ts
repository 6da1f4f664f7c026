import { batches } from './batch.js';
import { deliveryLog } from './delivery-log.js';
import { fanoutIndex } from './fanout-index.js';
import { measureLimit } from './limit.js';
import type { AnyFigures, Figures, Outcome } from './results.js';
import { deadEndpoint, latency, neighbours, neighboursFailing, type Delay } from './isolation.js';
import { order } from './order.js';
import { downEndpoint } from './down-endpoint.js';
import { recover } from './recover.js';
import { replayBesideLive } from './replay-beside-live.js';
import { replayScan } from './replay-scan.js';
import { restore } from './restore.js';
import { fanout, fanoutWide, throughput, throughputRest, type Speed } from './scenarios.js';
import type { Stage } from './stage.js';
import { mean, medianBy, rounded } from './statistics.js';

const speeds = { throughput, 'throughput-rest': throughputRest, fanout, 'fanout-1000': fanoutWide } as const;
/** Each is compared with `latency`. */
const isolation = { neighbours, 'neighbours-failing': neighboursFailing, 'dead-endpoint': deadEndpoint } as const;
/** Each stands for itself. */
const others = {
  'delivery-log': deliveryLog,
  'fanout-index': fanoutIndex,
  batch: batches,
  order,
  restore,
  'replay-scan': replayScan,
  'replay-beside-live': replayBesideLive,
  'down-endpoint': downEndpoint,
  recover,
} as const;

export const scenarioNames: readonly string[] = [
  'limit',
  ...Object.keys(speeds),
  'latency',
  ...Object.keys(isolation),
  ...Object.keys(others),
];

type Say = (line: string) => void;

/**
 * Measures scenarios one after the other, with what they are compared to: the limit before and after those of full
 * speed, latency before its neighbours.
 * @returns figures by scenario; those that were measured only for comparison too
 */
export async function round(stage: Stage, wanted: ReadonlySet<string>, say: Say): Promise<Map<string, AnyFigures>> {
  const results = new Map<string, AnyFigures>();
  const measured = async <T extends object>(name: string, work: Promise<Figures<T>>): Promise<Figures<T>> => {
    say(`measuring ${name} ...`);
    const figures = await work;
    say(`  ${JSON.stringify(figures.fields)}`);
    return figures;
  };
  const limit = (): Promise<Figures<{ perSecond: number }>> => measured('limit', measureLimit(stage.services.receiver));

  const fast = Object.entries(speeds).filter(([name]) => wanted.has(name));
  if (fast.length > 0 || wanted.has('limit')) {
    const before = await limit();
    const figures: [string, Figures<Speed>][] = [];
    for (const [name, scenario] of fast) figures.push([name, await measured(name, scenario(stage))]);
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
  const beside = Object.entries(isolation).filter(([name]) => wanted.has(name));
  if (beside.length > 0 || wanted.has('latency')) {
    const alone = await measured('latency', latency(stage));
    results.set('latency', withNumbers(alone));
    for (const [name, scenario] of beside) {
      const figures = await measured<Delay>(name, scenario(stage));
      const ratio = rounded(figures.fields.p99Ms / alone.fields.p99Ms, 2);
      results.set(name, { fields: { ...figures.fields, ratio }, processes: figures.processes });
    }
  }
  for (const [name, scenario] of Object.entries(others)) {
    if (wanted.has(name)) results.set(name, withNumbers(await measured<object>(name, scenario(stage))));
  }
  return results;
}

/** What runs of a scenario are compared by: the first of these that it has. */
const mainFigures = [
  'perSecond',
  'worstP95Ms',
  'p99Ms',
  'lastPostSeconds',
  'perSecond100000',
  'batchedPerSecond',
] as const;

/** Of each scenario the run whose main figure is the median. */
export function outcomesOf(rounds: readonly ReadonlyMap<string, AnyFigures>[]): readonly Outcome[] {
  return scenarioNames.flatMap((name) => {
    const all = rounds.map((one) => one.get(name)).filter((figures) => figures !== undefined);
    if (all.length === 0) return [];
    const median = medianBy(all, ({ fields }) => {
      const figure = mainFigures.find((name) => fields[name] !== undefined);
      return (figure && fields[figure]) ?? Number.NaN;
    });
    return [{ name, median, all }];
  });
}

function withNumbers({ fields, processes }: Figures<object>): AnyFigures {
  return { fields: { ...(fields as Record<string, number>) }, processes };
}
