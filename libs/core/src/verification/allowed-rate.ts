import type { RateLimitConfig } from '../delivery/index.js';

const periodsMs = { second: 1_000, minute: 60_000, hour: 3_600_000 } as const;
const minuteMs = 60_000;
/** The largest limit that there is. */
const most = 1_000_000;

/** Requests that GCRA lets through in any minute, its ends not both counted: the burst, and one per interval. */
export const mostInAMinute = ({ limit, per, burst }: RateLimitConfig): number => burst - 1 + inAMinute({ limit, per });

const inAMinute = ({ limit, per }: Pick<RateLimitConfig, 'limit' | 'per'>): number =>
  Math.ceil((minuteMs * limit) / periodsMs[per]);

/**
 * The rate to keep so that neither the endpoint's own limit nor what its receiver allows (requests per minute; null: any
 * number) is exceeded. The burst is what gives way first: it counts in the minute that it falls into.
 */
export function rateWithin(own: RateLimitConfig | null, allowed: number | null): RateLimitConfig | null {
  if (allowed === null) return own;
  const evenly: RateLimitConfig = { limit: Math.min(allowed, most), per: 'minute', burst: 1 };
  if (own === null) return evenly;
  if (mostInAMinute(own) <= allowed) return own;
  const burst = allowed - inAMinute(own) + 1;
  return burst >= 1 ? { ...own, burst } : evenly;
}

/** What to ask a receiver for: all that the endpoint's own limit can let through in a minute; null: there is none. */
export const rateToAsk = (own: RateLimitConfig | null): number | null => (own === null ? null : mostInAMinute(own));
