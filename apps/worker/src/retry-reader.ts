import type { Delivery } from '#libs/contracts';
import { compareEpochs, type Copy, type WriterEpoch } from '#libs/core';
import type { LogRecord } from '#libs/kafka';
import type { PlatformCodecs } from '#libs/schema-codec';
import { entryIdOf } from './batch-record.js';
import { entryOf } from './known-copies.js';
import type { Entry, OwnedPartition } from './owned-partition.js';

export type RetryCodecs = Pick<PlatformCodecs, 'delivery' | 'fence' | 'isFence'>;

export interface RetryReaderPorts {
  /** This copy stands for its delivery, which has no payload in memory. */
  hold(record: LogRecord, entry: Entry, delivery: Delivery): void;
  /** A fence of a higher epoch stands there. */
  superseded(): void;
}

/** What the records of one retry partition are to its owner, as they are read with their payloads. */
export class RetryReader {
  readonly #partition: OwnedPartition;
  readonly #index: number;
  readonly #codecs: RetryCodecs;
  readonly #ports: RetryReaderPorts;

  constructor(partition: OwnedPartition, index: number, codecs: RetryCodecs, ports: RetryReaderPorts) {
    this.#partition = partition;
    this.#index = index;
    this.#codecs = codecs;
    this.#ports = ports;
  }

  /** Throws when the record cannot be read: then the partition must stop. */
  read(record: LogRecord): void {
    const { retries, attemptsEnd } = this.#partition;
    const tracker = retries[this.#index];
    if (tracker === undefined) return;
    const { offset, value } = record;
    this.#partition.readTo[this.#index] = offset + 1;
    // Up to the own fence everything is known; what restore settled stays settled by its offset.
    const isOpen = offset < tracker.next ? tracker.isOutstanding(offset) : tracker.track(offset, attemptsEnd);
    if (!isOpen) return;
    if (value === null) throw new RangeError('a record without a value');
    if (this.#codecs.isFence(value)) this.#fence(offset, value);
    else this.#copy(record, this.#codecs.delivery.decode(value));
  }

  #fence(offset: number, value: Buffer): void {
    const { retries, fences, writer } = this.#partition;
    const fence = this.#codecs.fence.decode(value);
    const epoch = this.#comparable(fence);
    fences[this.#index]?.met(offset, epoch);
    retries[this.#index]?.settle(offset);
    if (compareEpochs(epoch, writer) > 0) this.#ports.superseded();
  }

  #copy(record: LogRecord, delivery: Delivery): void {
    const partition = this.#partition;
    const tracker = partition.retries[this.#index];
    const { offset } = record;
    if (tracker === undefined) return;
    const writer = this.#comparable(delivery.writer ?? { era: 0, generation: 0 });
    if (partition.fences[this.#index]?.isVoid(offset, writer) === true && !partition.without.has('fence')) {
      tracker.settle(offset);
      return;
    }
    const { ledger } = partition;
    const copy = { tracker, offset };
    const id = entryIdOf(delivery);
    switch (ledger.met(id, delivery.hop, copy)) {
      case 'settled':
        return;
      case 'stranger':
        this.#stranger(record, delivery, copy);
        return;
      case 'early': {
        const entry = ledger.get(id);
        if (entry === undefined) return;
        entry.early.push({ ...copy, hop: delivery.hop });
        if (delivery.hop > (entry.held?.hop ?? 0)) this.#hold(record, entry, delivery);
        return;
      }
      case 'joined': {
        const entry = ledger.get(id);
        if (entry?.place === 'away') this.#hold(record, entry, delivery);
      }
    }
  }

  /** All that is outstanding is known, so it is a copy of a delivery that was closed meanwhile. */
  #stranger(record: LogRecord, delivery: Delivery, copy: Copy): void {
    const isKnown = !this.#partition.without.has('restore-retries');
    const entry = isKnown ? undefined : entryOf(this.#partition, delivery);
    if (entry === undefined) {
      this.#partition.ledger.settle(copy);
      return;
    }
    entry.copies.push(copy);
    this.#hold(record, entry, delivery);
  }

  #hold(record: LogRecord, entry: Entry, delivery: Delivery): void {
    if (entry.place === 'away') entry.place = 'held';
    this.#ports.hold(record, entry, delivery);
  }

  #comparable({ era, generation }: WriterEpoch): WriterEpoch {
    return this.#partition.without.has('eras') ? { era: 0, generation } : { era, generation };
  }
}
