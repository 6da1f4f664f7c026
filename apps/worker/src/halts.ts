import type { Delivery, HaltAction } from '#libs/contracts';
import { deliveryIdOf } from '#libs/core';
import type { EndpointDirectory } from './endpoint-directory.js';
import type { DelayedCopy, Entry, OwnedPartition } from './owned-partition.js';

/** What is to become of a halted delivery. */
export type HaltDecision = 'release' | 'skip' | 'wait';

export interface HaltsPorts {
  readonly directory: EndpointDirectory;
  partitions(): Iterable<OwnedPartition>;
  /** Takes it up ahead of its time. */
  takeUp(held: DelayedCopy): void;
}

/**
 * Heads of keys that were exhausted at an endpoint that halts (DESIGN §3, Order). They go round in the retry topics until
 * someone decides; the decision comes with the endpoint's configuration.
 */
export class Halts {
  readonly #ports: HaltsPorts;

  constructor(ports: HaltsPorts) {
    this.#ports = ports;
  }

  decisionOn({ delivery }: Entry): HaltDecision {
    return this.#resolutionOf(delivery) ?? 'wait';
  }

  /** Whether a halted delivery holds up this one, or another of its endpoint. */
  holds({ share }: Entry): boolean {
    return share.halted > 0;
  }

  /** Configuration was read: what was decided now need not wait until its copy comes round. */
  configurationRead(): void {
    for (const partition of this.#ports.partitions()) {
      for (const entry of partition.halted) {
        const { held } = entry;
        if (held === null || held.delivery === null || entry.place !== 'held' || held.hop !== entry.hop) continue;
        // Closed before it was read in the log, its first copy would be a stranger there. It comes round in minutes.
        if (entry.lastPos >= partition.deliveries.next) continue;
        if (this.#resolutionOf(held.delivery) !== null) this.#ports.takeUp(held);
      }
    }
  }

  /** A batch is halted whole: what is decided of one of its members is decided of all. */
  #resolutionOf(delivery: Delivery): HaltAction | null {
    const { endpointId, haltedAt, members } = delivery;
    for (const one of members ?? [delivery]) {
      const found = this.#ports.directory.resolutionOf(endpointId, deliveryIdOf(one), haltedAt ?? 0);
      if (found !== null) return found;
    }
    return null;
  }
}
