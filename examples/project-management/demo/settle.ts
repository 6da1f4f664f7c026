import { setTimeout as sleep } from 'node:timers/promises';
import type { EndpointStats } from './api-client.js';

/** Everything of all endpoints together. */
export interface Sums {
  readonly delivered: number;
  readonly retried: number;
  readonly deadLettered: number;
  readonly dropped: number;
}

function sumsOf(stats: readonly EndpointStats[]): Sums {
  const sum = (of: (s: EndpointStats) => number): number => stats.reduce((total, s) => total + of(s), 0);
  return {
    delivered: sum((s) => s.delivered),
    retried: sum((s) => s.retried),
    deadLettered: sum((s) => s.deadLettered),
    dropped: sum((s) => s.dropped),
  };
}

/** Deliveries that have reached their end state. */
export const settled = ({ delivered, deadLettered, dropped }: Sums): number => delivered + deadLettered + dropped;

export interface SettleOptions {
  readonly stats: () => Promise<readonly EndpointStats[]>;
  /** Deliveries that must settle; null while events are still being appended. */
  readonly expected: () => number | null;
  readonly onSums: (sums: Sums) => void;
  readonly onTrouble: (reason: string) => void;
  readonly pollMs: number;
  /** Give up when nothing has moved for so long. */
  readonly stallMs: number;
}

/** Looks at the delivery log until all that is expected has settled. @returns false when it no longer moved */
export async function untilSettled(options: SettleOptions): Promise<boolean> {
  let last = '';
  let movedAt = performance.now();
  for (;;) {
    try {
      const sums = sumsOf(await options.stats());
      options.onSums(sums);
      const expected = options.expected();
      if (expected !== null && settled(sums) >= expected) return true;
      const now = `${JSON.stringify(sums)} ${String(expected)}`;
      if (now !== last) movedAt = performance.now();
      last = now;
    } catch (error) {
      options.onTrouble(error instanceof Error ? error.message : String(error));
    }
    if (performance.now() - movedAt > options.stallMs) return false;
    await sleep(options.pollMs);
  }
}
