import type { Delivery } from '#libs/contracts';
import { SendCaps, type SendLimits } from '#libs/core';
import type { OutgoingRecord } from '#libs/kafka';
import type { Appending } from '../appending.js';
import { encodeWithin } from '../new-delivery.js';
import { outgoingBytes } from '../reject.js';

interface Addressed {
  readonly endpointId: string;
  readonly stream: string;
  /** Of posthorn.deliveries. */
  readonly partition: number;
}

export interface BulkPorts {
  readonly appending: Appending;
  readonly encoder: { encode(delivery: Delivery): Buffer };
  readonly topic: string;
  readonly limits: SendLimits;
  /** Of one record, key included. */
  readonly maxRecordBytes: number;
  readonly loads: {
    sent(endpointId: string, partition: number, stream: string, offset: number, count: number): void;
  };
}

/** Deliveries of a catch-up or replay, appended together, and counted as sent. */
export class BulkDeliveries {
  readonly #ports: BulkPorts;
  readonly #records: OutgoingRecord[] = [];
  readonly #addressed: Addressed[] = [];

  constructor(ports: BulkPorts) {
    this.#ports = ports;
  }

  get size(): number {
    return this.#records.length;
  }

  add(delivery: Delivery, partition: number): void {
    const { encoder, topic, maxRecordBytes } = this.#ports;
    const { endpointId, stream } = delivery;
    this.#records.push({ topic, partition, key: endpointId, value: encodeWithin(delivery, encoder, maxRecordBytes) });
    this.#addressed.push({ endpointId, stream, partition });
  }

  /** @returns whether all of it is acknowledged; false: it is not ours to send any more */
  async append(): Promise<boolean> {
    const { appending, limits, loads } = this.#ports;
    const caps = new SendCaps(limits);
    let from = 0;
    for (let to = 0; to <= this.#records.length; to += 1) {
      const record = this.#records[to];
      const bytes = record === undefined ? 0 : outgoingBytes(record);
      if (record !== undefined && caps.admits(`${record.partition}`, bytes)) {
        caps.add(`${record.partition}`, bytes);
        continue;
      }
      const positions = await appending.append(this.#records.slice(from, to));
      if (positions === null) return false;
      for (const [nth, { offset }] of positions.entries()) {
        const addressed = this.#addressed[from + nth];
        if (addressed !== undefined) loads.sent(addressed.endpointId, addressed.partition, addressed.stream, offset, 1);
      }
      if (record === undefined) break;
      from = to;
      caps.reset();
      caps.add(`${record.partition}`, bytes);
    }
    return true;
  }
}
