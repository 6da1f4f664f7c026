/**
 * Latencies as counts in fixed buckets, so that those of an hour can be added to those of the next. Each bucket's bound is √2
 * times the one before: 1 ms, 1.4 ms, 2 ms, … 2^28 ms, which is three days; the last one takes all that is longer. A
 * percentile lies in the same bucket as the true one, so it is at most √2 times as long, or as short.
 */
export type LatencyCounts = readonly number[];

const longest = 28;
/** Upper bounds in milliseconds, inclusive. */
const bounds = Array.from({ length: 2 * longest + 1 }, (_, i) => 2 ** (i / 2));

export const latencyBuckets = bounds.length;

/** @param ms negative ones, which clocks of two machines make, count as 0 */
export function latencyBucket(ms: number): number {
  if (ms <= 1) return 0;
  return Math.min(latencyBuckets - 1, Math.ceil(2 * Math.log2(ms)));
}

/** @param share of them that took as long or less: 0.95. @returns milliseconds; null when nothing was counted */
export function latencyPercentile(counts: LatencyCounts, share: number): number | null {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  const rank = share * total;
  let below = 0;
  for (const [bucket, count] of counts.entries()) {
    if (count > 0 && below + count >= rank) {
      const [from, to] = [bucket === 0 ? 0 : (bounds[bucket - 1] ?? 0), bounds[bucket] ?? 0];
      return Math.round(from + (to - from) * ((rank - below) / count));
    }
    below += count;
  }
  return Math.round(bounds.at(-1) ?? 0);
}
