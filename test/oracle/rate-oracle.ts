/**
 * Judges a rate by the receiver's own timestamps (invariant 4): no window of any length holds more than the burst and what
 * the limit gives back in it; a hand-over may add one burst.
 */

export interface Rate {
  readonly limit: number;
  readonly periodMs: number;
  readonly burst: number;
}

export interface RateVerdict {
  /** Most arrivals in any window of one period. */
  readonly mostInPeriod: number;
  /** By how many arrivals the worst window is below what it may hold; negative: too many. */
  readonly margin: number;
  readonly violations: readonly string[];
}

/**
 * @param times of arrival, in milliseconds, in any order
 * @param handOvers when an owner ended or the group began to move the partition
 * @param options.handOverMs how long after such a moment the next owner's first burst may come
 * @param options.slackMs by how much the way to the receiver may vary: two POSTs can arrive closer than they were sent
 */
export function judgeRate(
  times: readonly number[],
  { limit, periodMs, burst }: Rate,
  options: { readonly handOvers: readonly number[]; readonly handOverMs: number; readonly slackMs: number },
): RateVerdict {
  const { handOvers, handOverMs, slackMs } = options;
  const sorted = times.toSorted((a, b) => a - b);
  let worst = { margin: Number.POSITIVE_INFINITY, text: '' };
  let mostInPeriod = 0;
  for (const [from, first] of sorted.entries()) {
    for (let to = from; to < sorted.length; to += 1) {
      const last = sorted[to] ?? first;
      const count = to - from + 1;
      if (last - first <= periodMs) mostInPeriod = Math.max(mostInPeriod, count);
      const moved = handOvers.filter((at) => at <= last && at + handOverMs >= first).length;
      const most = Math.floor(burst * (1 + moved) + (limit * (last - first + slackMs)) / periodMs);
      if (most - count < worst.margin) {
        const text = `${count} arrivals within ${Math.round(last - first)} ms, ${moved} hand-overs: at most ${most}`;
        worst = { margin: most - count, text };
      }
    }
  }
  return { mostInPeriod, margin: worst.margin, violations: worst.margin < 0 ? [worst.text] : [] };
}
