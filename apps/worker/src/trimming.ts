import type { TopicNames } from '#libs/contracts';
import type { RecordPosition, TopicAdministration } from '#libs/kafka';
import type { Clock } from './clock.js';
import type { Commits } from './commits.js';

export interface TrimmingPorts {
  readonly administration: Pick<TopicAdministration, 'deleteRecordsBefore'>;
  readonly commits: Pick<Commits, 'acknowledged'>;
  readonly clock: Clock;
  readonly log: { warn(details: object, message: string): void };
}

export interface TrimmingOptions {
  readonly topics: Pick<TopicNames, 'deliveries' | 'retry'>;
  /** Default 60,000. */
  readonly everyMs: number;
}

/**
 * Deletes what nobody will read again: below the acknowledged restore points (`b` in `deliveries`, the committed position
 * in a retry topic). Deliveries and copies are kept until settled, by nothing else.
 */
export class Trimming {
  readonly #options: TrimmingOptions;
  readonly #ports: TrimmingPorts;
  /** By topic and partition. */
  readonly #trimmed = new Map<string, number>();
  #disarm: () => void = () => undefined;

  constructor(options: TrimmingOptions, ports: TrimmingPorts) {
    this.#options = options;
    this.#ports = ports;
  }

  start(): void {
    this.#disarm = this.#ports.clock.schedule(this.#options.everyMs, () => {
      void this.#trim().then(() => this.start());
    });
  }

  stop(): void {
    this.#disarm();
    this.start = () => undefined;
  }

  async #trim(): Promise<void> {
    const { deliveries, retry } = this.#options.topics;
    const positions: RecordPosition[] = [];
    const add = (topic: string, partition: number, offset: number): void => {
      if (offset > (this.#trimmed.get(`${topic}-${partition}`) ?? 0)) positions.push({ topic, partition, offset });
    };
    for (const [{ number, alive, readTo }, { b, retries }] of this.#ports.commits.acknowledged()) {
      if (!alive) continue;
      add(deliveries, number, b);
      // What restore has settled is committed before reading comes by.
      for (const [index, offset] of retries.entries())
        add(retry[index]?.name ?? '', number, Math.min(offset, readTo[index] ?? 0));
    }
    if (positions.length === 0) return;
    try {
      await this.#ports.administration.deleteRecordsBefore(positions);
      for (const { topic, partition, offset } of positions) this.#trimmed.set(`${topic}-${partition}`, offset);
    } catch (error) {
      this.#ports.log.warn({ err: error }, 'settled records were not deleted; tried again later');
    }
  }
}
