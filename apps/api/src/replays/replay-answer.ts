import type { RateLimit } from '#libs/contracts';
import type { Replay, ReplayGap, ReplayWindow } from '#libs/persistence';
import { dateTime, dateTimeOrNull } from '../http/list-query.js';

/** `delivering`: all was sent, not all has its outcome. */
export type ReplayProgressState = 'running' | 'paused' | 'cancelled' | 'delivering' | 'completed';

export type WindowAnswer =
  | { readonly from: string | null; readonly to: string | null }
  | { readonly partitions: readonly { readonly partition: number; readonly from: number; readonly to: number }[] };

export interface GapAnswer {
  /** Null: not known in which. */
  readonly partition: number | null;
  /** Null: not known how many, or whether any; then within this time. */
  readonly records: number | null;
  readonly from: string | null;
  readonly until: string | null;
}

export interface ReplayProgress {
  /** Records that were read. */
  readonly scanned: number;
  /** Of these, wanted by an endpoint. */
  readonly matched: number;
  /** Deliveries: one record may be for several endpoints. */
  readonly sent: number;
  readonly delivered: number;
  /** Given up: dead letters of this replay. */
  readonly failed: number;
  readonly dropped: number;
  readonly remaining: { readonly records: number; readonly deliveries: number };
  /** Deliveries per second that had their outcome in the last minute. */
  readonly rate: number;
  /** Null: not known, or over. */
  readonly expectedEnd: string | null;
}

export interface ReplayAnswer {
  readonly id: string;
  readonly tenantId: string;
  readonly source: Replay['source'];
  readonly state: ReplayProgressState;
  readonly description: string | null;
  readonly endpointIds: readonly string[];
  readonly eventTypes: readonly string[] | null;
  readonly filter: unknown;
  /** Of dead letters. */
  readonly selection: {
    readonly deliveryIds: readonly string[] | null;
    readonly reasons: readonly string[] | null;
    readonly from: string | null;
    readonly to: string | null;
    readonly error: string | null;
  } | null;
  readonly rateLimit: RateLimit | null;
  readonly newIds: boolean;
  readonly asConfigured: 'now' | 'then';
  /** As it was asked for. */
  readonly window: WindowAnswer;
  /** As it stands in the log. */
  readonly partitions: readonly {
    readonly partition: number;
    readonly from: number;
    readonly to: number;
    readonly position: number;
    readonly done: boolean;
  }[];
  /** What the log had lost of it already; null: nothing. */
  readonly gap: readonly GapAnswer[] | null;
  readonly progress: ReplayProgress;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly finishedAt: string | null;
}

const longestRateMs = 60_000;

/** @param now Unix ms */
export function answerOf(replay: Replay, now: number): ReplayAnswer {
  return {
    id: replay.replayId,
    tenantId: replay.tenantId,
    source: replay.source,
    state: stateOf(replay),
    description: replay.description === '' ? null : replay.description,
    endpointIds: replay.endpointIds,
    eventTypes: replay.eventTypes,
    filter: replay.filter ?? null,
    selection: replay.selection && selectionOf(replay.selection),
    rateLimit: replay.rateLimit,
    newIds: replay.newIds,
    asConfigured: replay.asConfigured,
    window: windowOf(replay.window),
    partitions: replay.partitions.map(({ partition, from, to, position, done }) => ({
      partition,
      from,
      to,
      position,
      done,
    })),
    gap: gapOf(replay.gaps),
    progress: progressOf(replay, now),
    revision: replay.revision,
    createdAt: dateTime(replay.createdAt),
    updatedAt: dateTime(replay.updatedAt),
    finishedAt: dateTimeOrNull(replay.finishedAt),
  };
}

export function stateOf({ state, finishedAt, partitions }: Replay): ReplayProgressState {
  if (state === 'cancelled') return 'cancelled';
  if (finishedAt !== null) return 'completed';
  if (state === 'paused') return 'paused';
  return partitions.every(({ done }) => done) ? 'delivering' : 'running';
}

/** @param now Unix ms */
export function progressOf(replay: Replay, now: number): ReplayProgress {
  const { partitions, outcomes, finishedAt } = replay;
  const sum = (value: (partition: Replay['partitions'][number]) => number): number =>
    partitions.reduce((total, partition) => total + value(partition), 0);
  const [scanned, matched, sent] = [sum((p) => p.scanned), sum((p) => p.matched), sum((p) => p.sent)];
  const { delivered, failed, dropped, recent } = outcomes;
  const isOver = finishedAt !== null || replay.state === 'cancelled';
  const records = isOver ? 0 : sum(({ done, to, position }) => (done ? 0 : Math.max(0, to - position)));
  const deliveries = finishedAt === null ? Math.max(0, sent - delivered - failed - dropped) : 0;
  const rate = recent / (Math.min(longestRateMs, Math.max(1_000, now - replay.createdAt)) / 1_000);
  // What is not read yet is taken to be like what was.
  const work = deliveries + records * (scanned === 0 ? 1 : sent / scanned);
  const isMoving = !isOver && replay.state === 'running' && rate > 0 && work > 0;
  return {
    scanned,
    matched,
    sent,
    delivered,
    failed,
    dropped,
    remaining: { records, deliveries },
    rate: Math.round(rate * 100) / 100,
    expectedEnd: isMoving ? dateTime(Math.round(now + (work / rate) * 1_000)) : null,
  };
}

export const gapOf = (gaps: readonly ReplayGap[]): readonly GapAnswer[] | null =>
  gaps.length === 0
    ? null
    : gaps.map(({ partition, records, from, until }) => ({
        partition,
        records,
        from: dateTimeOrNull(from),
        until: dateTimeOrNull(until),
      }));

export const windowOf = (window: ReplayWindow): WindowAnswer =>
  'partitions' in window ? window : { from: dateTimeOrNull(window.from), to: dateTimeOrNull(window.to) };

const selectionOf = (one: NonNullable<Replay['selection']>): ReplayAnswer['selection'] => ({
  deliveryIds: one.deliveryIds ?? null,
  reasons: one.reasons ?? null,
  from: dateTimeOrNull(one.since ?? null),
  to: dateTimeOrNull(one.until ?? null),
  error: one.error ?? null,
});
