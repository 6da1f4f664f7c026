import type { Lane } from './lane.js';
import type { LaneSettings } from './lane-settings.js';
import type { Waiting } from './lane-work.js';

const sweepEveryMs = 1_000;

/**
 * Lanes without work in which something must be remembered for a while: a spent rate, a failing endpoint. There are at
 * most as many as endpoints that had work lately.
 */
export class RestingLanes<T extends Waiting> {
  readonly #lanes = new Set<Lane<T>>();
  readonly #settingsOf: (endpointId: string) => LaneSettings;
  readonly #forget: (lane: Lane<T>) => void;
  #sweepAt = 0;

  constructor(settingsOf: (endpointId: string) => LaneSettings, forget: (lane: Lane<T>) => void) {
    this.#settingsOf = settingsOf;
    this.#forget = forget;
  }

  /** A lane has no work any more: it is forgotten, now or as soon as it may be. */
  add(lane: Lane<T>, now: number): void {
    lane.idleSince = now;
    if (this.#isForgettable(lane, now)) this.#forget(lane);
    else this.#lanes.add(lane);
  }

  delete(lane: Lane<T>): void {
    this.#lanes.delete(lane);
  }

  /** Looks through them, now and then. */
  sweep(monotonic: () => number): void {
    if (this.#lanes.size === 0) return;
    const now = monotonic();
    if (now < this.#sweepAt) return;
    this.#sweepAt = now + sweepEveryMs;
    for (const lane of this.#lanes) {
      if (!lane.isIdle) this.#lanes.delete(lane);
      else if (this.#isForgettable(lane, now)) this.#forget(lane);
    }
  }

  #isForgettable(lane: Lane<T>, now: number): boolean {
    return lane.isForgettable(this.#settingsOf(lane.endpointId), now);
  }
}
