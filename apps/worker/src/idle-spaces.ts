import { decodeSourcePosition } from '#libs/core';
import type { LogReader, TopicAdministration } from '#libs/kafka';
import type { Clock } from './clock.js';
import type { OwnedPartition } from './owned-partition.js';

export interface IdleSpacesPorts {
  readonly administration: Pick<TopicAdministration, 'committed'>;
  readonly reader: Pick<LogReader, 'bounds'>;
  readonly clock: Clock;
  partitions(): Iterable<OwnedPartition>;
  readonly log: { warn(details: object, message: string): void };
}

export interface IdleSpacesOptions {
  readonly deliveries: string;
  readonly events: string;
  readonly dispatcherGroupId: string;
  /** Default 30,000. */
  readonly everyMs: number;
}

/**
 * A source partition that sends nothing to one of ours any more would keep its restore point `b` where it is for ever.
 * What the dispatchers have committed (F), read before the end of our partition (E), is a floor for what stands beyond E:
 * see SeenPositions.learn. The order of the two readings matters.
 */
export class IdleSpaces {
  readonly #options: IdleSpacesOptions;
  readonly #ports: IdleSpacesPorts;
  /** Lowest remembered `pos` of each space when it was looked at last. */
  #seenAt = new Map<string, number>();
  #disarm: () => void = () => undefined;

  constructor(options: IdleSpacesOptions, ports: IdleSpacesPorts) {
    this.#options = options;
    this.#ports = ports;
  }

  start(): void {
    this.#disarm = this.#ports.clock.schedule(this.#options.everyMs, () => {
      void this.#look().then(() => this.start());
    });
  }

  stop(): void {
    this.#disarm();
    this.start = () => undefined;
  }

  async #look(): Promise<void> {
    const { idle, sources } = this.#idle();
    if (idle.length === 0) return;
    const { administration, reader, log } = this.#ports;
    const { deliveries, events, dispatcherGroupId } = this.#options;
    try {
      const wanted = [...sources].map((partition) => ({ topic: events, partition }));
      const committed = await administration.committed(dispatcherGroupId, wanted);
      const bounds = await reader.bounds(idle.map(({ number: partition }) => ({ topic: deliveries, partition })));
      for (const [at, { partition }] of wanted.entries()) {
        const commit = committed[at] ?? null;
        const incarnation = commit === null ? undefined : decodeSourcePosition(commit.metadata)?.incarnation;
        if (commit === null || incarnation === undefined) continue;
        const floor = { incarnation, sourcePartition: partition, floor: commit.offset };
        for (const [nth, { seen, alive }] of idle.entries()) if (alive) seen.learn(floor, bounds[nth]?.end ?? Infinity);
      }
    } catch (error) {
      log.warn({ err: error }, 'the positions of the dispatchers could not be read; tried again later');
    }
  }

  /** Partitions with spaces that have not moved since the last look, and where those come from. */
  #idle(): { readonly idle: readonly OwnedPartition[]; readonly sources: ReadonlySet<number> } {
    const idle: OwnedPartition[] = [];
    const sources = new Set<number>();
    const seenAt = new Map<string, number>();
    for (const partition of this.#ports.partitions()) {
      let any = false;
      for (const { incarnation, sourcePartition, pos } of partition.seen.liveSpaces()) {
        const name = `${partition.number}/${incarnation}/${sourcePartition}`;
        seenAt.set(name, pos);
        if (this.#seenAt.get(name) !== pos) continue;
        sources.add(sourcePartition);
        any = true;
      }
      if (any) idle.push(partition);
    }
    this.#seenAt = seenAt;
    return { idle, sources };
  }
}
