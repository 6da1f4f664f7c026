import type { Delivery } from '#libs/contracts';
import { deliveryIdOf, placementOf } from '#libs/core';
import type { LogRecord } from '#libs/kafka';
import type { Backlog } from './backlog.js';
import type { Clock } from './clock.js';
import type { DelayedCopy } from './delay-topic.js';
import type { EndpointDirectory } from './endpoint-directory.js';
import type { Lanes } from './lanes.js';
import type { Outcomes } from './outcomes.js';
import type { Copy, Entry, OwnedPartition } from './owned-partition.js';
import type { RetryTimers } from './retry-timers.js';

export interface IntakePorts {
  readonly clock: Clock;
  readonly backlog: Backlog;
  readonly lanes: Lanes;
  readonly timers: RetryTimers;
  readonly outcomes: Outcomes;
  readonly directory: EndpointDirectory;
}

/** What a delivery in memory takes beside its record's bytes, roughly. */
const overheadBytes = 600;

/** Where a copy goes when it was read: to the delivery that it belongs to, into a lane, a timer, or another topic. */
export class Intake {
  readonly #ports: IntakePorts;
  readonly #delaysMs: readonly number[];

  /** @param delaysMs delays of the retry topics, shortest first */
  constructor(delaysMs: readonly number[], ports: IntakePorts) {
    this.#delaysMs = delaysMs;
    this.#ports = ports;
  }

  /** A record of `deliveries` was read. */
  fresh(partition: OwnedPartition, record: LogRecord, delivery: Delivery): void {
    const copy: Copy = { tracker: partition.deliveries, offset: record.offset };
    const id = deliveryIdOf(delivery);
    if (partition.join(id, delivery.hop, copy)) return;
    this.#enter(partition, id, delivery, record.offset, record.value?.length ?? 0, copy);
  }

  /** A copy has waited in its retry topic for as long as it had to. */
  takeUp(partition: OwnedPartition, { id, delivery, copy, bytes }: DelayedCopy): void {
    if (partition.join(id, delivery.hop, copy)) return;
    this.#enter(partition, id, delivery, delivery.pos ?? 0, bytes, copy);
  }

  /** Into its lane, or, where that is full, back over the shortest retry topic: it never stops the partition. */
  admit(entry: Entry): void {
    if (!this.#ports.lanes.offer(entry)) this.#ports.outcomes.spill(entry);
  }

  #enter(
    partition: OwnedPartition,
    id: string,
    delivery: Delivery,
    pos: number,
    recordBytes: number,
    copy: Copy,
  ): void {
    const bytes = recordBytes + overheadBytes;
    const entry: Entry = {
      partition,
      id,
      pos,
      bytes,
      delivery,
      hop: delivery.hop,
      copies: [copy],
      awaited: null,
      lane: null,
    };
    partition.enter(entry);
    this.#ports.backlog.add(1, bytes);
    this.#place(entry);
  }

  #place(entry: Entry): void {
    const { clock, timers, outcomes, directory, backlog } = this.#ports;
    const { delivery } = entry;
    const placement = placementOf(this.#delaysMs, delivery.dueAt, clock.now());
    switch (placement.kind) {
      case 'now':
        this.admit(entry);
        return;
      case 'timer':
        // With the memory nearly full it goes round once more, and comes late rather than never.
        if (backlog.isHigh) outcomes.hop(entry, 0);
        else timers.add(placement.dueAt, entry);
        return;
      case 'hop':
        // It may wait for days yet: what has nowhere to go ends here.
        if (directory.lookup(delivery.endpointId, delivery.configVersion).kind === 'deleted') outcomes.drop(entry);
        else outcomes.hop(entry, placement.topic);
    }
  }
}
