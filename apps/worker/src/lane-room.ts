import { liveStream } from '#libs/core';
import type { LaneSettings } from './lane-settings.js';
import type { Lane } from './lane.js';
import type { Waiting } from './lane-work.js';

/** How long what finds no room in a lane is to wait in a retry topic: some 5 s, 30 s, 5 min. */
export type Spill = 'brief' | 'short' | 'minutes';

/** What `brief` and `short` mean. */
const briefMs = 5_000;
/** A little more than it takes: better too early than to have the lane wait. */
const shortMs = 40_000;
const minuteMs = 60_000;
/** With the memory nearly full, a lane that can start nothing keeps no more than one waiting, another this many. */
const keptWhenHigh = 16;
/** … and a lane with an open circuit gives away so many at a time. */
const shedAtOnce = 32;

/** @param isHigh whether the worker's memory is nearly full */
export function waitElsewhere<T extends Waiting>(
  lane: Lane<T>,
  { pos, stream }: T,
  settings: LaneSettings,
  isHigh: boolean,
  now: number,
): Spill {
  const openMs = lane.circuitOpenMs(now);
  if (openMs !== null && (openMs > minuteMs || isHigh)) return 'minutes';
  // What a replay has too much of is fetched as soon as there is room.
  if (stream !== liveStream) return 'short';
  return lane.wantsBack(pos, briefMs, shortMs, settings, now) ? 'brief' : 'short';
}

/**
 * Whether a lane is worth waiting for: it would be through before a spilled copy comes back, or it has its share of a
 * worker that is itself the slow one.
 * @param fairPerMs a lane's share of the worker's successes, if all its slots are taken; else Infinity
 */
export function moves<T extends Waiting>(
  lane: Lane<T>,
  settings: LaneSettings,
  fairPerMs: number,
  now: number,
): boolean {
  if (lane.drainsIn(briefMs, settings, now)) return true;
  if (lane.held || lane.circuitOpenMs(now) !== null || lane.isRateLimited(settings, now)) return false;
  return lane.flow.perMs(now) >= fairPerMs * 0.5;
}

/** How many a lane may keep of each kind while the worker's memory is nearly full. */
export function mostWhenHigh<T extends Waiting>(lane: Lane<T>, settings: LaneSettings, now: number): number {
  const isStuck = lane.held || lane.inFlight >= settings.maxInFlight || lane.circuitOpenMs(now) !== null;
  return isStuck ? 1 : keptWhenHigh;
}

/** Takes away what would go last and waits for a circuit anyway: it makes room for those who can use it. */
export function* shedding<T extends Waiting>(lane: Lane<T>, now: number): Generator<T> {
  if ((lane.circuitOpenMs(now) ?? 0) <= briefMs) return;
  for (let nth = 0; nth < shedAtOnce; nth += 1) {
    const last = lane.work.takeLast();
    if (last === undefined) return;
    yield last;
  }
}
