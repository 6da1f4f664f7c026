import type { RateLimit } from '#libs/contracts';
import type { Endpoint, PartitionWindow, ReplayGap, ReplayWindow } from '#libs/persistence';
import { dateTime } from '../http/list-query.js';
import type { DryRunCounts } from './dry-run.js';
import { gapOf, windowOf, type GapAnswer, type WindowAnswer } from './replay-answer.js';
import { estimateOf, type ReplayEstimate } from './replay-estimate.js';

export interface DryRunAnswer {
  readonly dryRun: true;
  readonly tenantId: string;
  readonly source: 'events' | 'dead-letters';
  readonly window: WindowAnswer;
  readonly partitions: readonly PartitionWindow[];
  readonly gap: readonly GapAnswer[] | null;
  readonly records: DryRunCounts['records'];
  /** Not all was read in the time that a dry run may take: `deliveries` extrapolates, `counts` is what was found. */
  readonly partial: boolean;
  readonly deliveries: number;
  /** Most first; of very many the first only. */
  readonly counts: DryRunCounts['counts'];
  readonly repeats: number;
  readonly rejected: number;
  readonly samples: readonly (Omit<DryRunCounts['samples'][number], 'appendedAt'> & { readonly appendedAt: string })[];
  readonly estimate: ReplayEstimate;
}

export interface DryRunFindings {
  readonly tenantId: string;
  readonly source: DryRunAnswer['source'];
  readonly endpoints: readonly Pick<Endpoint, 'endpointId' | 'rateLimit'>[];
  readonly rateLimit: RateLimit | null;
  readonly window: ReplayWindow;
  readonly partitions: readonly PartitionWindow[];
  readonly gaps: readonly ReplayGap[];
  readonly counts: DryRunCounts;
}

/** Rows of an answer. */
export const mostCounts = 1_000;

export function dryRunAnswer(found: DryRunFindings): DryRunAnswer {
  const { expected, records, counts, samples, repeats, rejected } = found.counts;
  const loads = found.endpoints.map(({ endpointId, rateLimit }) => ({
    deliveries: expected.get(endpointId) ?? 0,
    limits: [found.rateLimit, rateLimit],
  }));
  return {
    dryRun: true,
    tenantId: found.tenantId,
    source: found.source,
    window: windowOf(found.window),
    partitions: found.partitions.map(({ partition, from, to }) => ({ partition, from, to })),
    gap: gapOf(found.gaps),
    records,
    partial: records.read < records.inWindow,
    deliveries: loads.reduce((sum, { deliveries }) => sum + deliveries, 0),
    counts: counts.slice(0, mostCounts),
    repeats,
    rejected,
    samples: samples.map((one) => ({ ...one, appendedAt: dateTime(one.appendedAt) })),
    estimate: estimateOf(loads),
  };
}
