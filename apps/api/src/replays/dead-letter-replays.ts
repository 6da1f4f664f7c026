import type { RateLimit } from '#libs/contracts';
import type {
  DeadLetterExtent,
  DeadLetterExtents,
  DeadLetterFilter,
  DeadLetters,
  DeadLetterSelection,
  Endpoint,
  PartitionWindow,
  ReplayGap,
} from '#libs/persistence';
import { checkId } from '../http/list-query.js';
import { AppError, notFound, type Fault } from '../problem/app-error.js';
import { dryRunAnswer, mostCounts, type DryRunAnswer } from './dry-run-answer.js';
import type { WouldSend } from './dry-run.js';
import type { ReplayAnswer } from './replay-answer.js';
import type { ReplayLog } from './replay-log.js';
import type { HowToSend } from './replay.dto.js';
import type { ReplayDesk } from './replays.js';

export type OpenDeadLetters = Omit<DeadLetterFilter, 'state'>;

export interface DeadLetterReplayPorts {
  readonly desk: ReplayDesk;
  readonly extents: DeadLetterExtents;
  readonly deadLetters: Pick<DeadLetters, 'list' | 'get'>;
  readonly log: Pick<ReplayLog, 'bounds'>;
  readonly topic: string;
  /** Of the events topic: their owners move replays. */
  readonly eventPartitions: number;
  readonly pause: (ms: number) => Promise<void>;
}

interface Found {
  readonly tenantId: string;
  readonly endpointIds: readonly string[];
  readonly partitions: readonly PartitionWindow[];
  readonly gaps: readonly ReplayGap[];
  readonly counted: number;
}

/** How often, and how far apart, it is looked whether records that are not projected yet have come. */
const looks = 8;
const lookMs = 250;
const sampleCount = 10;

/** Replays of open dead letters, which the projection finds and the log holds. */
export class DeadLetterReplays {
  constructor(private readonly ports: DeadLetterReplayPorts) {}

  /** All that match and are open now. Throws `nothing-to-replay` when there are none. */
  async begin(filter: OpenDeadLetters, how: HowToSend): Promise<ReplayAnswer> {
    const { tenantId, endpointIds, partitions, gaps } = await this.#find(filter);
    const { eventPartitions, desk } = this.ports;
    const { eventType, eventTypes = eventType === undefined ? null : [eventType] } = filter;
    return desk.begin(
      {
        tenantId,
        source: 'dead-letters',
        endpointIds,
        eventTypes,
        filter: null,
        selection: selectionOf(filter),
        asConfigured: 'now',
        window: { from: filter.from ?? null, to: filter.to ?? null },
        gaps,
        // The dead-letters topic has no incarnations: a replay's stream makes its deliveries' ids its own.
        partitions: partitions.map((one) => ({
          ...one,
          incarnation: 0,
          ownedBy: one.partition % eventPartitions,
        })),
      },
      how,
    );
  }

  async beginOne(deliveryId: string, how: HowToSend): Promise<ReplayAnswer> {
    const found = await this.ports.deadLetters.get(checkId('dead letter', deliveryId));
    if (found === null) throw notFound('dead letter', deliveryId);
    if (found.state !== 'open') throw new AppError('not-open', `The dead letter is ${found.state} already.`);
    return this.begin({ deliveryIds: [deliveryId] }, how);
  }

  /** Each of them must be open. */
  async beginChosen(deliveryIds: readonly string[], how: HowToSend): Promise<ReplayAnswer> {
    const filter = { deliveryIds, state: 'open' } as const;
    const { data } = await this.ports.deadLetters.list(filter, { limit: deliveryIds.length });
    const open = new Set(data.map(({ delivery }) => delivery.deliveryId));
    const errors = deliveryIds.flatMap((id, i): Fault[] => {
      if (open.has(id)) return [];
      return [{ pointer: `/deliveryIds/${i}`, code: 'not-open', detail: 'There is no such open dead letter.' }];
    });
    if (errors.length > 0) throw new AppError('invalid-body', 'Not all of these are open dead letters.', { errors });
    return this.begin({ deliveryIds }, how);
  }

  /** Counted by the projection, so never partial. */
  async dryRun(
    filter: OpenDeadLetters,
    endpoints: readonly Endpoint[],
    rateLimit: RateLimit | null,
  ): Promise<DryRunAnswer> {
    const { extents, deadLetters } = this.ports;
    const [found, counts, page] = [
      await this.#find(filter),
      await extents.counts(filter, mostCounts),
      await deadLetters.list({ ...filter, state: 'open' }, { limit: sampleCount }),
    ];
    const expected = new Map<string, number>();
    for (const { endpointId, count } of counts) expected.set(endpointId, (expected.get(endpointId) ?? 0) + count);
    const samples = page.data.flatMap(({ delivery: d, place }): WouldSend[] => {
      if (place === null) return [];
      const event = { id: d.eventId, source: d.eventSource, type: d.eventType, time: null };
      return [{ endpointId: d.endpointId, event, ...place, appendedAt: d.completedAt ?? d.acceptedAt }];
    });
    return dryRunAnswer({
      tenantId: found.tenantId,
      source: 'dead-letters',
      endpoints,
      rateLimit,
      window: { from: filter.from ?? null, to: filter.to ?? null },
      partitions: found.partitions,
      gaps: found.gaps,
      counts: {
        records: { inWindow: found.counted, read: found.counted },
        counts: counts.map(({ endpointId, eventType, count: deliveries }) => ({ endpointId, eventType, deliveries })),
        expected,
        repeats: 0,
        rejected: 0,
        samples,
      },
    });
  }

  async #find(filter: OpenDeadLetters): Promise<Found> {
    const extents = await this.#projected(filter);
    const [first] = extents;
    if (first === undefined) throw new AppError('nothing-to-replay', 'No open dead letter matches.');
    const { tenantId } = first;
    if (extents.some((one) => one.tenantId !== tenantId)) {
      throw new AppError('invalid-body', 'They belong to several tenants; a replay is of one.', {
        errors: [{ pointer: '/filter/tenantId', code: 'required', detail: 'Several tenants have such dead letters.' }],
      });
    }
    const places = windowsOf(extents);
    const at = places.map(({ partition }) => ({ topic: this.ports.topic, partition }));
    const bounds = places.length === 0 ? [] : await this.ports.log.bounds(at);
    const cut = places.flatMap(({ partition, from }, i) => {
      const start = bounds[i]?.start ?? 0;
      return from < start ? [{ partition, start }] : [];
    });
    const lost = await this.ports.extents.countBelow(filter, cut);
    const gaps = [...lost].map(([partition, records]): ReplayGap => ({ partition, records, from: null, until: null }));
    const unplaced = extents.reduce((sum, { place, count }) => (place === null ? sum + count : sum), 0);
    if (unplaced > 0) gaps.push({ partition: null, records: unplaced, from: null, until: null });
    const partitions = places.flatMap(({ partition, from, to }, i): PartitionWindow[] => {
      const begin = Math.max(from, bounds[i]?.start ?? 0);
      return begin < to ? [{ partition, from: begin, to }] : [];
    });
    const total = extents.reduce((sum, { count }) => sum + count, 0);
    const counted = total - gaps.reduce((sum, { records }) => sum + (records ?? 0), 0);
    return { tenantId, endpointIds: [...new Set(extents.map((one) => one.endpointId))], partitions, gaps, counted };
  }

  /** That a delivery was given up may be projected a moment before the record is: what the list shows is waited for. */
  async #projected(filter: OpenDeadLetters): Promise<readonly DeadLetterExtent[]> {
    for (let look = 1; ; look += 1) {
      const extents = await this.ports.extents.find(filter);
      if (look === looks || extents.every(({ place }) => place !== null)) return extents;
      await this.ports.pause(lookMs);
    }
  }
}

/** One window for each partition, over all endpoints there. */
function windowsOf(extents: readonly DeadLetterExtent[]): PartitionWindow[] {
  const windows = new Map<number, PartitionWindow>();
  for (const { place } of extents) {
    if (place === null) continue;
    const known = windows.get(place.partition) ?? place;
    windows.set(place.partition, {
      partition: place.partition,
      from: Math.min(known.from, place.from),
      to: Math.max(known.to, place.to),
    });
  }
  return [...windows.values()].sort((a, b) => a.partition - b.partition);
}

function selectionOf(filter: OpenDeadLetters): DeadLetterSelection | null {
  const { deliveryIds, reason, from, to, error } = filter;
  const selection: DeadLetterSelection = {
    ...(deliveryIds === undefined ? {} : { deliveryIds }),
    ...(reason === undefined ? {} : { reasons: [reason] }),
    ...(from === undefined ? {} : { since: from }),
    ...(to === undefined ? {} : { until: to }),
    ...(error === undefined ? {} : { error }),
  };
  return Object.keys(selection).length === 0 ? null : selection;
}
