import type { LaneSettings } from './lane-settings.js';
import type { Lane } from './lane.js';
import type { Waiting } from './lane-work.js';

/** For metrics: how many there are. */
export interface LaneStats {
  readonly lanes: number;
  /** Deliveries that may go. */
  readonly ready: number;
  /** Deliveries that wait for their order. */
  readonly blocked: number;
  /** Lanes that only their rate holds. */
  readonly rateLimited: number;
}

export function laneStats<T extends Waiting>(
  lanes: Iterable<Lane<T>>,
  settingsOf: (lane: Lane<T>) => LaneSettings,
  now: number,
): LaneStats {
  const stats = { lanes: 0, ready: 0, blocked: 0, rateLimited: 0 };
  for (const lane of lanes) {
    stats.lanes += 1;
    stats.ready += lane.work.ready;
    stats.blocked += lane.work.blocked;
    if (lane.isRateLimited(settingsOf(lane), now)) stats.rateLimited += 1;
  }
  return stats;
}
