import { SendError, type OutgoingRecord, type RecordPosition, type RecordSender } from '#libs/kafka';
import type { Clock } from './clock.js';
import type { OwnedPartition } from './owned-partition.js';

/** Called with the positions of the records, in their order, once all of them are durable. */
type Acknowledged = (positions: readonly RecordPosition[]) => void;

interface Append {
  readonly records: readonly OutgoingRecord[];
  readonly acknowledged: Acknowledged;
  readonly tooLarge: (() => void) | undefined;
}

interface Outbox {
  readonly partition: OwnedPartition;
  appends: Append[];
  records: number;
  bytes: number;
}

export interface AppenderPorts {
  /** Topic of Attempts: how far it reaches is the stamp of copies (libs/core OffsetTracker). */
  readonly attempts: string;
  readonly sender: RecordSender;
  readonly clock: Clock;
  /** The lease: whether this process may append now. */
  mayAppend(): boolean;
  /** A batch was acknowledged, and all its callbacks ran. */
  batchDone(): void;
  /** The log refuses this record for good: its partition must stop, for it can be neither processed nor skipped. */
  refused(partition: OwnedPartition, error: SendError): void;
}

/** Bounds of one batch: a partition's part of a send must stay below `max.message.bytes`. */
const batchRecords = 500;
const batchBytes = 400_000;
/** How long until an append that was not allowed is looked at again. */
const leaseCheckMs = 50;

/**
 * Appends what follows from deliveries. What becomes ready in one turn of the event loop goes out as one batch for each
 * partition (the sender groups further). Nothing is appended for a lost partition or outside of the lease: a batch that
 * was cut off by the end of the lease is sent again if the lease comes back and the partition was kept, else dropped.
 */
export class Appender {
  readonly #ports: AppenderPorts;
  readonly #outboxes = new Map<OwnedPartition, Outbox>();
  #deferred = false;
  #pending = 0;

  constructor(ports: AppenderPorts) {
    this.#ports = ports;
  }

  /** Appends that are not acknowledged (or dropped) yet. */
  get pending(): number {
    return this.#pending;
  }

  /** @param tooLarge the log takes no record of this size: says it otherwise. Without it the partition stops. */
  append(
    partition: OwnedPartition,
    records: readonly OutgoingRecord[],
    acknowledged: Acknowledged,
    tooLarge?: () => void,
  ): void {
    if (!partition.alive) return;
    let outbox = this.#outboxes.get(partition);
    if (outbox === undefined) {
      outbox = { partition, appends: [], records: 0, bytes: 0 };
      this.#outboxes.set(partition, outbox);
    }
    this.#pending += 1;
    outbox.appends.push({ records, acknowledged, tooLarge });
    outbox.records += records.length;
    for (const { value } of records) outbox.bytes += value?.length ?? 0;
    if (outbox.records >= batchRecords || outbox.bytes >= batchBytes) this.#sendOutbox(outbox);
    if (this.#deferred) return;
    this.#deferred = true;
    this.#ports.clock.defer(() => {
      this.#deferred = false;
      for (const waiting of this.#outboxes.values()) this.#sendOutbox(waiting);
    });
  }

  #sendOutbox(outbox: Outbox): void {
    this.#outboxes.delete(outbox.partition);
    this.#send(outbox.partition, outbox.appends);
  }

  #send(partition: OwnedPartition, appends: readonly Append[]): void {
    if (!partition.alive) {
      this.#pending -= appends.length;
      return;
    }
    if (!this.#ports.mayAppend()) {
      this.#sendLater(partition, appends);
      return;
    }
    const records = appends.length === 1 ? (appends[0]?.records ?? []) : appends.flatMap((one) => one.records);
    const held = (): boolean => partition.alive && this.#ports.mayAppend();
    this.#ports.sender.send(records, { held }).then(
      (positions) => this.#acknowledged(partition, appends, positions),
      (error: unknown) => this.#failed(partition, appends, error),
    );
  }

  #acknowledged(partition: OwnedPartition, appends: readonly Append[], positions: readonly RecordPosition[]): void {
    this.#pending -= appends.length;
    if (!partition.alive) return;
    let at = 0;
    for (const { records, acknowledged } of appends) {
      acknowledged(positions.slice(at, at + records.length));
      at += records.length;
    }
    // Afterwards: a stamp may be too low, never too high.
    for (const { topic, offset } of positions) if (topic === this.#ports.attempts) partition.attemptAt(offset);
    this.#ports.batchDone();
  }

  #failed(partition: OwnedPartition, appends: readonly Append[], error: unknown): void {
    if (!(error instanceof SendError)) throw error;
    switch (error.code) {
      case 'not-held':
      case 'timeout':
        // They may or may not stand in the log: a second copy of the same hop settles with the first.
        this.#sendLater(partition, appends);
        return;
      case 'too-large':
      case 'refused':
        if (appends.length > 1) {
          for (const one of appends) this.#send(partition, [one]);
          return;
        }
        this.#pending -= 1;
        if (!partition.alive) return;
        if (error.code === 'too-large' && appends[0]?.tooLarge !== undefined) appends[0].tooLarge();
        else this.#ports.refused(partition, error);
        return;
      case 'closed':
        this.#pending -= appends.length;
    }
  }

  #sendLater(partition: OwnedPartition, appends: readonly Append[]): void {
    this.#ports.clock.schedule(leaseCheckMs, () => this.#send(partition, appends));
  }
}
