/** How many POSTs an endpoint takes. The same shape as RateLimit of libs/contracts, which core cannot import. */
export interface RateLimitConfig {
  /** POSTs for each `per`. */
  readonly limit: number;
  readonly per: 'second' | 'minute' | 'hour';
  /** POSTs that may go out at once after a rest. */
  readonly burst: number;
}

const most = 1_000_000;

/** One sentence for each fault, beginning with the field; empty when the limit can be used. */
export function rateLimitFaults({ limit, burst }: RateLimitConfig): readonly string[] {
  const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 1 && value <= most;
  return [
    ...(isCount(limit) ? [] : [`limit must be a whole number from 1 to ${most}`]),
    ...(isCount(burst) ? [] : [`burst must be a whole number from 1 to ${most}`]),
  ];
}

/**
 * Burst of a limit that names none: a second's worth, so that small groups go out together; with longer periods one POST,
 * so that a minute's worth does not arrive within a second.
 */
export const defaultBurst = ({ limit, per }: Omit<RateLimitConfig, 'burst'>): number => (per === 'second' ? limit : 1);
