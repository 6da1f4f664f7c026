import type { Commits } from './commits.js';
import { outstandingBoundsOf, type DeliverOptions, type DeliverPorts } from './deliver-options.js';
import type { Copies } from './copies.js';
import { IdleSpaces } from './idle-spaces.js';
import type { Lanes } from './lanes.js';
import type { OwnedPartition } from './owned-partition.js';
import { Securing } from './securing.js';
import { StatusReports } from './status-reports.js';
import { Trimming } from './trimming.js';

export interface UpkeepParts {
  readonly commits: Commits;
  readonly copies: Copies;
  readonly lanes: Lanes;
  /** The lease. */
  isHeld(): boolean;
  partitions(): Iterable<OwnedPartition>;
}

interface Chore {
  start(): void;
  stop(): void;
}

/** What is done now and then for partitions that are held, beside delivering. */
export class Upkeep {
  readonly #chores: readonly Chore[];

  constructor(options: DeliverOptions, ports: DeliverPorts, parts: UpkeepParts) {
    const { topics, dispatcherGroupId } = options;
    const { administration, reader, sender, codecs, clock, log } = ports;
    const { commits, copies, lanes } = parts;
    const bounds = outstandingBoundsOf(options);
    const isHeld = (): boolean => parts.isHeld();
    const partitions = (): Iterable<OwnedPartition> => parts.partitions();
    this.#chores = [
      new Trimming({ topics, everyMs: options.trimEveryMs ?? 60_000 }, { administration, commits, clock, log }),
      new IdleSpaces(
        {
          deliveries: topics.deliveries,
          events: topics.events,
          dispatcherGroupId,
          everyMs: options.idleSpacesEveryMs ?? 30_000,
        },
        { administration, reader, clock, partitions, log },
      ),
      new StatusReports(
        {
          topic: topics.endpointStatus,
          maxOutstanding: bounds.endpoint,
          partitionMaxOutstanding: bounds.partition,
          workerMaxOutstanding: bounds.worker,
          everyMs: options.statusEveryMs ?? 1_000,
        },
        { sender, reader, codecs, lanes, clock, log, isHeld, partitions },
      ),
      new Securing({ afterMs: options.secureAfterMs ?? 60_000 }, { copies, clock, partitions }),
    ];
  }

  start(): void {
    for (const chore of this.#chores) chore.start();
  }

  stop(): void {
    for (const chore of this.#chores) chore.stop();
  }
}
