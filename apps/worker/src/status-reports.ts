import type { EndpointStatus } from '#libs/contracts';
import { isTestStream, liveStream } from '#libs/core';
import type { LogReader, OutgoingRecord, RecordSender } from '#libs/kafka';
import type { PlatformCodecs } from '#libs/schema-codec';
import type { Clock } from './clock.js';
import type { Lanes } from './lanes.js';
import type { EndpointShare, OwnedPartition } from './owned-partition.js';

export interface StatusReportsPorts {
  /** Not the appender: what is refused here must not stop a partition. */
  readonly sender: Pick<RecordSender, 'send'>;
  readonly reader: Pick<LogReader, 'bounds' | 'range'>;
  /** The lease. */
  isHeld(): boolean;
  readonly log: { warn(details: object, message: string): void };
  readonly codecs: Pick<PlatformCodecs, 'endpointStatus'>;
  readonly lanes: Pick<Lanes, 'probeInMs' | 'leftAlone'>;
  readonly clock: Clock;
  partitions(): Iterable<OwnedPartition>;
}

export interface StatusReportsOptions {
  readonly topic: string;
  /** Outstanding deliveries of an endpoint: more is an overflow. */
  readonly maxOutstanding: number;
  /** Of a partition, and of all partitions of this worker: more than half is an overflow. */
  readonly partitionMaxOutstanding: number;
  readonly workerMaxOutstanding: number;
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

/** What must be told anew, or taken back, since nobody knows whether it was told. */
const unclear: Told = { at: -Infinity, text: '' };

/** What was told of a partition. */
interface Word {
  /** By key; null until it is known what former owners have told. */
  told: Map<string, Told> | null;
  /** The word before is still on its way: a later one must not overtake it. */
  isBusy: boolean;
}

/** Key of the status of a partition of `deliveries`. */
const partitionStatusKey = (partition: number): string => `partition:${partition}`;

/**
 * Tells dispatchers and projector how endpoints stand, at most once a second for each. Advice: nothing depends on it for
 * being right. A tombstone follows when there is nothing to tell any more, also of what a former owner has told.
 *
 * The partition's own record, with how far `deliveries` was read, comes last: who has read it has read of each endpoint
 * how much was outstanding at that time, or that it was nothing to speak of.
 */
export class StatusReports {
  readonly #options: StatusReportsOptions;
  readonly #ports: StatusReportsPorts;
  readonly #words = new WeakMap<OwnedPartition, Word>();
  #disarm: () => void = () => undefined;

  constructor(options: StatusReportsOptions, ports: StatusReportsPorts) {
    this.#options = options;
    this.#ports = ports;
  }

  start(): void {
    this.#disarm = this.#ports.clock.schedule(this.#options.everyMs, () => {
      for (const partition of this.#ports.partitions()) this.#next(partition);
      this.start();
    });
  }

  stop(): void {
    this.#disarm();
  }

  #next(partition: OwnedPartition): void {
    const word = this.#words.get(partition) ?? { told: null, isBusy: false };
    this.#words.set(partition, word);
    if (word.isBusy) return;
    word.isBusy = true;
    const work = word.told === null ? this.#recall(partition, word) : this.#report(partition, word.told);
    work
      .catch((error: unknown) => {
        if (!partition.alive) return;
        this.#ports.log.warn({ partition: partition.number, err: error }, 'how endpoints stand was not told');
      })
      .finally(() => {
        word.isBusy = false;
      });
  }

  /** What former owners have told and not taken back is told anew or taken back. */
  async #recall({ number: partition }: OwnedPartition, word: Word): Promise<void> {
    const { reader } = this.#ports;
    const at = { topic: this.#options.topic, partition };
    const told = new Map<string, Told>();
    const [bounds] = await reader.bounds([at]);
    for await (const records of reader.range(at, bounds?.start ?? 0, bounds?.end ?? 0)) {
      for (const { key, value } of records) {
        if (value === null) told.delete(String(key));
        else told.set(String(key), unclear);
      }
    }
    word.told = told;
  }

  async #report(partition: OwnedPartition, told: Map<string, Told>): Promise<void> {
    const now = this.#ports.clock.now();
    const records: OutgoingRecord[] = [];
    const due = new Set<string>();
    const tell = (status: EndpointStatus): void => {
      due.add(status.key);
      const { at: _, readTo, ...rest } = status;
      // How far was read matters for the partition; of an endpoint it would change with every delivery of its neighbours.
      const text = JSON.stringify(status.key === key ? { ...rest, readTo } : rest);
      const before = told.get(status.key);
      if (before?.text === text && now - before.at < renewAfterMs) return;
      told.set(status.key, { at: now, text });
      records.push(this.#record(partition.number, status.key, this.#ports.codecs.endpointStatus.encode(status)));
    };
    const key = partitionStatusKey(partition.number);
    for (const share of partition.shares()) {
      const status = this.#statusOf(partition, share, now);
      if (status !== null) tell(status);
    }
    for (const endpointId of this.#ports.lanes.leftAlone(partition.number)) {
      if (!due.has(endpointId)) tell(this.#withCircuit(this.#base(partition, endpointId, now), now));
    }
    for (const gone of told.keys()) {
      if (due.has(gone) || gone === key) continue;
      told.delete(gone);
      records.push(this.#record(partition.number, gone, null));
    }
    const { size: outstanding } = partition.ledger;
    tell({ ...this.#base(partition, key, now), outstanding, overflow: this.#isTooMuch(outstanding) });
    if (records.length === 0) return;
    try {
      await this.#ports.sender.send(records, { held: () => partition.alive && this.#ports.isHeld() });
    } catch (error) {
      for (const { key: untold } of records) told.set(String(untold), unclear);
      throw error;
    }
  }

  #statusOf(partition: OwnedPartition, share: EndpointShare, now: number): EndpointStatus | null {
    const { endpointId, outstanding, windows } = share;
    const streams = [...windows]
      .filter(([stream]) => !isTestStream(stream))
      .map(([stream, { size }]) => ({ stream, outstanding: size }));
    const isLiveOnly = streams.every(({ stream }) => stream === liveStream);
    const status = this.#withCircuit(this.#base(partition, endpointId, now), now);
    const isLittle = outstanding < noteworthy && outstanding <= this.#options.maxOutstanding;
    if (isLittle && status.circuitOpenUntil === null && isLiveOnly) return null;
    return { ...status, outstanding, streams, overflow: outstanding > this.#options.maxOutstanding };
  }

  /** Open from the first failure too many until it is closed: a probe, and the ramp after it, are no break. */
  #withCircuit(status: EndpointStatus, now: number): EndpointStatus {
    const probeInMs = this.#ports.lanes.probeInMs(status.key);
    // To the second: it would be told anew each time otherwise.
    const until = probeInMs === null ? null : Math.ceil((now + probeInMs) / 1_000) * 1_000;
    return { ...status, circuitOpenUntil: until };
  }

  /** Whether dispatchers are to freeze the fattest endpoints of a partition, before its owner can know no more. */
  #isTooMuch(outstanding: number): boolean {
    const { partitionMaxOutstanding, workerMaxOutstanding } = this.#options;
    if (outstanding > partitionMaxOutstanding / 2) return true;
    let [all, partitions] = [0, 0];
    for (const { ledger } of this.#ports.partitions()) {
      all += ledger.size;
      partitions += 1;
    }
    return all > workerMaxOutstanding / 2 && outstanding * partitions >= all;
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
