import type { DeliveryStats } from '#libs/persistence';
import type { z } from 'zod';
import { dateTime, listed } from '../http/list-query.js';
import { AppError } from '../problem/app-error.js';
import type { StatsPage, statsQuery } from './stats.dto.js';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** So that an answer is never made of more than some ten thousand hours of each endpoint. */
const longestMs = { hour: 31 * dayMs, day: 400 * dayMs, all: 400 * dayMs };

/** Figures of deliveries, as projectors count them. */
export class StatsDesk {
  constructor(
    private readonly stats: Pick<DeliveryStats, 'list'>,
    private readonly now: () => number,
  ) {}

  async list({ limit, cursor, from, to, ...query }: z.output<typeof statsQuery>): Promise<StatsPage> {
    const end = to ?? this.now();
    const begin = from ?? end - dayMs;
    const span = { ...query, ...rangeOf(begin, end, query.bucket) };
    const { data, nextCursor } = await listed(() => this.stats.list(span, { limit, cursor }));
    return {
      from: dateTime(span.from),
      to: dateTime(span.to),
      data: data.map(({ start, ...figures }) => ({ start: dateTime(start), ...figures })),
      nextCursor,
    };
  }
}

/** Whole hours or days, since of less there are no figures. */
export function rangeOf(from: number, to: number, bucket: 'hour' | 'day' | 'all'): { from: number; to: number } {
  const unit = bucket === 'day' ? dayMs : hourMs;
  const range = { from: Math.floor(from / unit) * unit, to: Math.ceil(to / unit) * unit };
  if (from >= to) throw refusal('to', 'It ends before it begins.');
  const longest = longestMs[bucket];
  if (range.to - range.from > longest + unit)
    throw refusal('from', `With bucket=${bucket}, the time is at most ${longest / dayMs} days.`);
  return range;
}

const refusal = (parameter: string, detail: string): AppError =>
  new AppError('invalid-parameter', 'There are no figures of such a time.', {
    errors: [{ parameter, code: 'invalid', detail }],
  });
