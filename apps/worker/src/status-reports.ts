import type { EndpointStatus } from '#libs/contracts';
import type { OutgoingRecord, RecordSender } from '#libs/kafka';
import type { PlatformCodecs } from '#libs/schema-codec';
import type { Clock } from './clock.js';
import type { Lanes } from './lanes.js';
import type { EndpointShare, OwnedPartition } from './owned-partition.js';

export interface StatusReportsPorts {
  /** Not the appender: what is refused here must not stop a partition. */
  readonly sender: Pick<RecordSender, 'send'>;
  /** The lease. */
  isHeld(): boolean;
  readonly log: { warn(details: object, message: string): void };
  readonly codecs: Pick<PlatformCodecs, 'endpointStatus'>;
  readonly lanes: Pick<Lanes, 'circuitOpenMs'>;
  readonly clock: Clock;
  partitions(): Iterable<OwnedPartition>;
}

export interface StatusReportsOptions {
  readonly topic: string;
  /** Of an endpoint: more is an overflow. */
  readonly maxOutstanding: number;
  /** Default 1,000. */
  readonly everyMs: number;
}

/** Endpoints with fewer outstanding, all live and with a closed circuit, are nobody's concern. */
const noteworthy = 100;
/** What has not changed is told again: a reader takes older word for stale. */
const renewAfterMs = 10_000;

interface Told {
  readonly at: number;
  readonly text: string;
}

/** Key of the status of a partition of `deliveries`. */
const partitionStatusKey = (partition: number): string => `partition:${partition}`;

/**
 * Tells dispatchers and projector how endpoints stand, at most once a second for each. Advice: nothing depends on it for
 * being right. A tombstone follows when there is nothing to tell any more.
 */
export class StatusReports {
  readonly #options: StatusReportsOptions;
  readonly #ports: StatusReportsPorts;
  readonly #told = new WeakMap<OwnedPartition, Map<string, Told>>();
  #disarm: () => void = () => undefined;

  constructor(options: StatusReportsOptions, ports: StatusReportsPorts) {
    this.#options = options;
    this.#ports = ports;
  }

  start(): void {
    this.#disarm = this.#ports.clock.schedule(this.#options.everyMs, () => {
      for (const partition of this.#ports.partitions()) this.#report(partition);
      this.start();
    });
  }

  stop(): void {
    this.#disarm();
  }

  #report(partition: OwnedPartition): void {
    const told = this.#told.get(partition) ?? new Map<string, Told>();
    this.#told.set(partition, told);
    const now = this.#ports.clock.now();
    const records: OutgoingRecord[] = [];
    const tell = (status: EndpointStatus): void => {
      const { at: _, readTo, ...rest } = status;
      // How far was read matters for the partition; of an endpoint it would change with every delivery of its neighbours.
      const text = JSON.stringify(status.streams.length === 0 ? { ...rest, readTo } : rest);
      const before = told.get(status.key);
      if (before?.text === text && now - before.at < renewAfterMs) return;
      told.set(status.key, { at: now, text });
      records.push(this.#record(partition.number, status.key, this.#ports.codecs.endpointStatus.encode(status)));
    };
    const due = new Set<string>();
    for (const share of partition.shares()) {
      const status = this.#statusOf(partition, share, now);
      if (status === null) continue;
      due.add(share.endpointId);
      tell(status);
    }
    const key = partitionStatusKey(partition.number);
    due.add(key);
    tell({ ...this.#base(partition, key, now), outstanding: partition.ledger.size });
    for (const gone of told.keys()) {
      if (due.has(gone)) continue;
      told.delete(gone);
      records.push(this.#record(partition.number, gone, null));
    }
    if (records.length === 0) return;
    const { sender, log } = this.#ports;
    sender.send(records, { held: () => partition.alive && this.#ports.isHeld() }).catch((error: unknown) => {
      if (partition.alive) log.warn({ partition: partition.number, err: error }, 'how endpoints stand was not told');
    });
  }

  #statusOf(partition: OwnedPartition, share: EndpointShare, now: number): EndpointStatus | null {
    const { endpointId, outstanding, windows } = share;
    const openMs = this.#ports.lanes.circuitOpenMs(endpointId);
    const streams = [...windows].map(([stream, { size }]) => ({ stream, outstanding: size }));
    const isLiveOnly = streams.every(({ stream }) => stream === 'live');
    if (outstanding < noteworthy && openMs === null && isLiveOnly) return null;
    return {
      ...this.#base(partition, endpointId, now),
      outstanding,
      streams,
      // To the second: it would be told anew each time otherwise.
      circuitOpenUntil: openMs === null ? null : Math.ceil((now + openMs) / 1_000) * 1_000,
      overflow: outstanding > this.#options.maxOutstanding,
    };
  }

  #base(partition: OwnedPartition, key: string, now: number): EndpointStatus {
    const { era, generation } = partition.writer;
    return {
      key,
      partition: partition.number,
      era,
      generation,
      at: now,
      readTo: partition.deliveries.next,
      outstanding: 0,
      streams: [],
      circuitOpenUntil: null,
      overflow: false,
    };
  }

  #record(partition: number, key: string, value: Buffer | null): OutgoingRecord {
    return { topic: this.#options.topic, partition, key, value };
  }
}
