import type { PartitionWindow, ReplayGap, ReplayWindow } from '#libs/persistence';
import { AppError, type Fault } from '../problem/app-error.js';
import type { ReplayLog } from './replay-log.js';

/** Offsets that are asked for; without `to`, up to the end. */
export interface AskedOffsets {
  readonly partition: number;
  readonly from: number;
  readonly to?: number | undefined;
}

export type AskedWindow =
  { readonly from: number | null; readonly to: number | null } | { readonly partitions: readonly AskedOffsets[] };

/** What there is of a window: parts that are not empty, and what is not there any more. */
export interface FoundWindow {
  readonly asked: ReplayWindow;
  readonly partitions: readonly (PartitionWindow & { readonly incarnation: number })[];
  readonly gaps: readonly ReplayGap[];
}

type Part = PartitionWindow & { readonly gap: ReplayGap | null };

/** First records that may be markers of transactions, which hold no time. */
const lookedThrough = 1_000;

/** Windows of the events topic, as they stand in the log when they are asked for: nothing that comes later is in them. */
export class ReplayWindows {
  constructor(
    private readonly log: Pick<ReplayLog, 'bounds' | 'offsetsAt' | 'first' | 'incarnations'>,
    private readonly topic: string,
    private readonly partitions: number,
  ) {}

  async find(asked: AskedWindow): Promise<FoundWindow> {
    const parts = 'partitions' in asked ? await this.#byOffset(asked.partitions) : await this.#byTime(asked);
    const found = parts.filter(({ from, to }) => from < to);
    const incarnations =
      found.length === 0 ? [] : await this.log.incarnations(found.map((one) => this.#at(one.partition)));
    return {
      asked:
        'partitions' in asked
          ? {
              partitions: parts.map(({ partition, from, to }, i) => ({
                partition,
                from: asked.partitions[i]?.from ?? from,
                to,
              })),
            }
          : asked,
      partitions: found.map(({ partition, from, to }, i) => ({
        partition,
        from,
        to,
        incarnation: incarnations[i] ?? 0,
      })),
      gaps: parts.flatMap(({ gap }) => gap ?? []),
    };
  }

  async #byOffset(asked: readonly AskedOffsets[]): Promise<Part[]> {
    const errors = asked.flatMap(({ partition }, i): Fault[] => {
      if (partition < this.partitions) return [];
      const detail = `There are ${this.partitions} partitions, from 0.`;
      return [{ pointer: `/partitions/${i}/partition`, code: 'too-big', detail }];
    });
    if (errors.length > 0) throw new AppError('invalid-body', 'There is no such partition.', { errors });
    const bounds = await this.log.bounds(asked.map(({ partition }) => this.#at(partition)));
    return asked.map(({ partition, from, to: wanted }, i) => {
      const { start, end } = bounds[i] ?? { start: 0, end: 0 };
      const to = Math.min(wanted ?? end, end);
      const lost = Math.min(start, to) - from;
      const gap = lost > 0 ? { partition, records: lost, from: null, until: null } : null;
      return { partition, from: Math.max(from, start), to, gap };
    });
  }

  async #byTime({ from, to }: { readonly from: number | null; readonly to: number | null }): Promise<Part[]> {
    const all = Array.from({ length: this.partitions }, (_, partition) => this.#at(partition));
    // Bounds first: what is appended meanwhile is not meant.
    const bounds = await this.log.bounds(all);
    const [firsts, lasts] = await Promise.all([
      from === null ? null : this.log.offsetsAt(all, from),
      to === null ? null : this.log.offsetsAt(all, to),
    ]);
    return Promise.all(
      bounds.map(async ({ start, end }, partition): Promise<Part> => {
        const first = Math.max(firsts?.[partition] ?? start, start);
        const last = Math.min(lasts?.[partition] ?? end, end);
        const gap =
          from !== null && start > 0 && first === start
            ? await this.#lostBefore(partition, { start, end }, { from, to })
            : null;
        return { partition, from: first, to: last, gap };
      }),
    );
  }

  /** Records were deleted below `start`: whether some of them were in the window, and how many, cannot be told any more. */
  async #lostBefore(
    partition: number,
    { start, end }: { readonly start: number; readonly end: number },
    asked: { readonly from: number; readonly to: number | null },
  ): Promise<ReplayGap | null> {
    const record = await this.log.first(this.#at(partition), start, Math.min(end, start + lookedThrough));
    const until = Math.min(record?.timestamp ?? Infinity, asked.to ?? Infinity);
    if (until <= asked.from) return null;
    return { partition, records: null, from: asked.from, until: until === Infinity ? null : until };
  }

  #at(partition: number): { readonly topic: string; readonly partition: number } {
    return { topic: this.topic, partition };
  }
}
