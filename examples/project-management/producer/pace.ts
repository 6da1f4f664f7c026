/** How many events are due: a steady rate from a start, or as many at once as one batch takes. */
export function dueBy(options: {
  readonly rate: number;
  readonly elapsedMs: number;
  readonly sent: number;
  /** 0: endless. */
  readonly events: number;
  readonly mostAtOnce: number;
}): number {
  const { rate, elapsedMs, sent, events, mostAtOnce } = options;
  const left = events === 0 ? Number.POSITIVE_INFINITY : events - sent;
  const due = rate === 0 ? mostAtOnce : Math.floor((elapsedMs / 1_000) * rate) + 1 - sent;
  return Math.max(0, Math.min(left, due, mostAtOnce));
}
