import type { Delivery } from '#libs/contracts';
import { ShareBudget } from '#libs/core';
import type { Backlog } from './backlog.js';
import type { EndpointDirectory } from './endpoint-directory.js';
import type { Lanes } from './lanes.js';
import type { DelayedCopy } from './owned-partition.js';
import type { Without } from './rules.js';
import { workKindOf } from './work-source.js';

/** Retry topics are looked at ten times a second while something due must wait. */
const takenBetweenLooks = 64;

export interface ReturnsPorts {
  readonly backlog: Pick<Backlog, 'isFull'>;
  readonly directory: Pick<EndpointDirectory, 'replays'>;
  readonly lanes: Pick<Lanes, 'hasEnough' | 'freshWaits' | 'isStarved'>;
  readonly without: Without;
}

/** What may come back from retry topics, beside first attempts: each of it is appended again, or POSTed and then appended. */
export class Returns {
  readonly #ports: ReturnsPorts;
  /** Retries among what this worker appends, while first attempts wait. */
  readonly #appends = new ShareBudget(undefined, takenBetweenLooks);

  constructor(ports: ReturnsPorts) {
    this.#ports = ports;
  }

  /** What is due may: its append is acknowledged, it may be sent, and there is room for it. */
  mayTakeUp({ entry, hop, delivery }: DelayedCopy): boolean {
    if (delivery === null) return false;
    const { backlog, directory, lanes, without } = this.#ports;
    const { partition } = entry;
    if (hop !== entry.hop) return false;
    if (entry.lastPos >= partition.deliveries.next && !without.has('read-beyond-pos')) return false;
    // What the memory is full of may all wait for this one. At most one for each lane and stream comes on top of it.
    if (backlog.isFull) return lanes.isStarved(entry) && partition.mayGo(entry);
    if (directory.replays.get(entry.stream)?.state === 'cancelled') return true;
    // A lane that has enough of first attempts for now need not get those back that it has spilled.
    if (workKindOf(delivery) === 'fresh') return !lanes.hasEnough(entry.endpointId);
    return this.#appends.mayTakeOld(lanes.freshWaits);
  }

  takenUp(delivery: Delivery): void {
    if (workKindOf(delivery) === 'old') this.#appends.took('old');
  }

  /** What follows from it is acknowledged. */
  appended(delivery: Delivery): void {
    if (workKindOf(delivery) === 'fresh') this.#appends.took('fresh');
  }
}
