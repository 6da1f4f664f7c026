import type { Clock } from './clock.js';
import type { Copies } from './copies.js';
import type { Entry, OwnedPartition } from './owned-partition.js';

export interface SecuringPorts {
  readonly copies: Pick<Copies, 'secure'>;
  readonly clock: Clock;
  partitions(): Iterable<OwnedPartition>;
}

export interface SecuringOptions {
  /** What has waited so long in a lane is appended anew; and again after ten times as long. */
  readonly afterMs: number;
}

/** Of a partition, at one look. */
const most = 200;
const mostLookedAt = 5_000;

/**
 * What waits in a lane, for its rate or behind a head that is retried for hours, would hold up its partition's commit at
 * the copy that it came by: then nothing behind it is deleted, and the next owner has all of it to read. So it is appended
 * anew now and then, without leaving its lane.
 */
export class Securing {
  readonly #options: SecuringOptions;
  readonly #ports: SecuringPorts;
  #disarm: () => void = () => undefined;

  constructor(options: SecuringOptions, ports: SecuringPorts) {
    this.#options = options;
    this.#ports = ports;
  }

  start(): void {
    this.#disarm = this.#ports.clock.schedule(this.#options.afterMs / 12, () => {
      for (const partition of this.#ports.partitions()) this.#look(partition);
      this.start();
    });
  }

  stop(): void {
    this.#disarm();
  }

  #look(partition: OwnedPartition): void {
    let [looked, secured] = [0, 0];
    // The oldest first, as they became known.
    for (const entry of partition.ledger.entries()) {
      if (looked === mostLookedAt || secured === most) return;
      looked += 1;
      if (!this.#isLate(entry)) continue;
      secured += 1;
      this.#ports.copies.secure(entry);
    }
  }

  /** What is on its way, or is being appended, comes to its end by itself. */
  #isLate(entry: Entry): boolean {
    if (entry.place !== 'here' || entry.lane !== null || entry.issued > entry.hop || entry.batch !== null) return false;
    const { afterMs } = this.#options;
    const isFirst = entry.copies.some(({ tracker }) => tracker === entry.partition.deliveries);
    return this.#ports.clock.monotonic() - entry.since > (isFirst ? afterMs : 10 * afterMs);
  }
}
