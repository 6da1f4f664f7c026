import type { RateLimit } from '#libs/contracts';

/** Deliveries of one endpoint, and the limits that hold for them: the replay's and the endpoint's own. */
export interface EndpointLoad {
  readonly deliveries: number;
  readonly limits: readonly (RateLimit | null)[];
}

export interface ReplayEstimate {
  readonly seconds: number;
  /** `rate-limit`: an endpoint's or the replay's. `assumption`: so many per second in all. */
  readonly basis: 'rate-limit' | 'assumption';
  readonly perSecond: number;
}

/** What a replay reaches beside live deliveries, in all: it is held to at least that (`docs/benchmarks.md`). */
export const assumedPerSecond = 500;

const seconds = { second: 1, minute: 60, hour: 3_600 };

/** How long it takes when nothing fails: the slowest endpoint by its limits, or all of them by what is assumed. */
export function estimateOf(loads: readonly EndpointLoad[]): ReplayEstimate {
  const total = loads.reduce((sum, { deliveries }) => sum + deliveries, 0);
  let slowest: ReplayEstimate = {
    seconds: Math.ceil(total / assumedPerSecond),
    basis: 'assumption',
    perSecond: assumedPerSecond,
  };
  for (const { deliveries, limits } of loads) {
    for (const limit of limits) {
      if (limit === null) continue;
      const perSecond = limit.limit / seconds[limit.per];
      const needed = Math.ceil(Math.max(0, deliveries - limit.burst) / perSecond);
      if (needed > slowest.seconds) slowest = { seconds: needed, basis: 'rate-limit', perSecond };
    }
  }
  return slowest;
}
