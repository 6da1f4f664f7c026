import type { LaneQueueBounds } from '#libs/core';
import type { Clock } from './clock.js';
import type { Spill } from './lane-room.js';
import type { LaneSettings } from './lane-settings.js';
import type { Lane } from './lane.js';
import type { Entry } from './owned-partition.js';
import type { Replay } from './replay-directory.js';

export interface LanesOptions {
  /** POSTs on their way at once, over all endpoints. */
  readonly maxInFlight: number;
  /** Of each lane's fresh, old and blocked work, apart. */
  readonly bounds: LaneQueueBounds;
}

/**
 * - `posted`: a POST is on its way; `landed` follows
 * - `diverted`: it goes another way than to the endpoint
 * - `unread`: its configuration was not read yet, or the token that it needs is being fetched; it stays the head
 */
export type Start = 'posted' | 'diverted' | 'unread';

/** Taken, or to wait so long in a retry topic. */
export type Offered = 'taken' | Spill;

export interface LanesPorts {
  /** Milliseconds of a clock that never jumps. */
  monotonic(): number;
  /** Runs `task` once, in `ms` milliseconds. @returns how to call it off */
  readonly schedule: Clock['schedule'];
  /** Whether anything may be started now (the lease). */
  mayStart(): boolean;
  /** Starts the head of a lane. */
  start(entry: Entry, lane: Lane<Entry>): Start;
  /** As configured now. */
  settingsOf(endpointId: string): LaneSettings;
  /** As it stands now; undefined for what is no replay, or none any more. */
  replayOf(stream: string): Replay | undefined;
  /** The ordering window's word: false while a lower pos that it is ordered to is outstanding. */
  mayGo(entry: Entry): boolean;
  /** Something was taken that has to give way to another. */
  spill(entry: Entry, wait: Spill): void;
  /** Something was taken whose replay is cancelled. */
  drop(entry: Entry): void;
  /** A lane's time has come: something may be startable. */
  pump(): void;
  /** A lane that is in use has nothing more of some stream that may go. */
  hungry(lane: Lane<Entry>): void;
}
