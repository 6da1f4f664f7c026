import type { Codecs } from './codecs.js';
import type { ViolationKind } from './evidence.js';
import { play, type PlayOptions } from './play.js';

export interface SeedRange {
  readonly from: number;
  readonly seeds: number;
  /** 1: each seed. 2 for every other one, and so on. */
  readonly step?: number;
  /** Stops after a run with a violation of one of these kinds. */
  readonly until?: readonly ViolationKind[];
}

interface Failure {
  readonly seed: number;
  readonly kind: ViolationKind;
  /** Of the first violation of this kind. */
  readonly text: string;
  readonly violations: number;
}

/** What came of many runs. Plain data, to be handed from process to process. */
export interface Summary {
  readonly played: number;
  readonly failures: readonly Failure[];
  readonly counts: Readonly<Record<string, number>>;
}

export async function playRange(codecs: Codecs, range: SeedRange, options: PlayOptions = {}): Promise<Summary> {
  const { from, seeds, step = 1, until = [] } = range;
  const failures: Failure[] = [];
  const counts: Record<string, number> = {};
  let played = 0;
  for (let seed = from; seed < from + seeds; seed += step) {
    const result = await play(seed, codecs, options);
    played += 1;
    for (const [name, count] of result.counts) counts[name] = (counts[name] ?? 0) + count;
    const kinds = Map.groupBy(result.violations, ({ kind }) => kind);
    for (const [kind, all] of kinds) failures.push({ seed, kind, text: all[0]?.text ?? '', violations: all.length });
    if (until.some((kind) => kinds.has(kind))) break;
  }
  return { played, failures, counts };
}

export function merged(summaries: readonly Summary[]): Summary {
  const counts: Record<string, number> = {};
  for (const summary of summaries) {
    for (const [name, count] of Object.entries(summary.counts)) counts[name] = (counts[name] ?? 0) + count;
  }
  return {
    played: summaries.reduce((sum, { played }) => sum + played, 0),
    failures: summaries.flatMap(({ failures }) => failures).toSorted((a, b) => a.seed - b.seed),
    counts,
  };
}
