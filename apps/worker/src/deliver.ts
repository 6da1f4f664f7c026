// Reads: posthorn.deliveries, the retry topics and posthorn.attempts (partitions that this process owns), posthorn.endpoints.
// Writes: POSTs to endpoints; posthorn.attempts, posthorn.retry.*, posthorn.dead-letters; commits of deliveries; deletes
//   what is settled.
// Guarantees: at least one POST for each delivery, or its dead letter, or its final Attempt `dropped`; order where it was
//   asked for; nothing is started, appended or committed outside of the lease; one endpoint's slowness stops no other.
// On a crash: the next owner restores all from the log (restore.ts); what had no acknowledged outcome is sent again.
// Tests: deliver.spec.ts, order.spec.ts, ownership.spec.ts (virtual time), worker.int-spec.ts, test/simulation, test/chaos.

import type { GainedPartition, TopicPartition } from '#libs/kafka';
import type { DeliverOptions, DeliverPorts } from './deliver-options.js';
import { DeliverParts } from './deliver-parts.js';

export type { DeliverOptions, DeliverPorts } from './deliver-options.js';

const leaseCheckMs = 50;

/** The delivery worker: follows what the group gives to it. */
export class DeliveryWorker {
  readonly #ports: DeliverPorts;
  readonly #parts: DeliverParts;
  readonly #reportEveryMs: number;
  /** No new POSTs: the group is about to rebalance, or the process to end. */
  #resting = false;
  #leaving = false;
  #pumpIsDue = false;
  #stopReporting: () => void = () => undefined;

  constructor(options: DeliverOptions, ports: DeliverPorts) {
    this.#ports = ports;
    this.#reportEveryMs = options.reportEveryMs ?? 1_000;
    this.#parts = new DeliverParts(options, ports, {
      mayStart: () => !this.#resting && this.#isHeld(),
      isHeld: () => this.#isHeld(),
      pump: () => this.#pump(),
    });
  }

  /** Reads the endpoints' configuration; the group may be joined when this resolves. */
  async start(): Promise<void> {
    await this.#parts.directory.start();
    this.#parts.commits.start();
    this.#parts.upkeep.start();
    this.#report();
  }

  get isReady(): boolean {
    return this.#parts.directory.isRead;
  }

  /** Held partitions that stopped with an alarm. */
  get stoppedPartitions(): number {
    return this.#parts.partitions.stopped;
  }

  /** Held partitions that are being taken over. */
  get restoringPartitions(): number {
    return this.#parts.partitions.restoring;
  }

  gained(partitions: readonly GainedPartition[]): void {
    this.#resting = this.#leaving;
    if (this.#leaving) return;
    for (const gained of partitions) this.#parts.partitions.take(gained);
    this.#pump();
  }

  lost(partitions: readonly TopicPartition[]): void {
    for (const one of partitions) {
      const partition = this.#parts.partitions.letGo(one);
      if (partition === undefined) continue;
      this.#parts.posting.lost(partition);
      this.#parts.lanes.drop(partition);
    }
    this.#pump();
  }

  /** Finishes what can be finished within `ms`, and commits it. Starts nothing new until the lease is back. */
  async settle(ms: number): Promise<void> {
    this.#resting = true;
    const until = this.#ports.clock.monotonic() + ms;
    while (this.#parts.lanes.inFlight + this.#parts.appender.pending > 0 && this.#ports.clock.monotonic() < until) {
      await new Promise<void>((resolve) => void this.#ports.clock.schedule(5, resolve));
    }
    await this.#parts.commits.flush();
    this.#resting = this.#leaving;
    // Not at once: the join that this was for comes first, and ends the lease.
    this.#pumpLater();
  }

  /** Takes nothing more, finishes what is in flight (for at most `ms`), commits. */
  async drain(ms: number): Promise<void> {
    this.#leaving = true;
    this.#parts.partitions.stopReading();
    this.#parts.timers.close();
    this.#parts.farCopies.close();
    this.#parts.lanes.close();
    await this.settle(ms);
    this.#parts.commits.stop();
    this.#parts.upkeep.stop();
    this.#stopReporting();
    this.#parts.directory.stop();
  }

  #pump(): void {
    this.#parts.lanes.pump();
    this.#parts.partitions.readOn();
    // What was just read may be the end of the log: then nobody else starts it.
    this.#parts.lanes.pump();
    if (this.#parts.partitions.isWaiting || (this.#parts.lanes.hasWork && !this.#isHeld())) this.#pumpLater();
  }

  #pumpLater(): void {
    if (this.#pumpIsDue || this.#leaving) return;
    this.#pumpIsDue = true;
    this.#ports.clock.schedule(leaseCheckMs, () => {
      this.#pumpIsDue = false;
      this.#pump();
    });
  }

  #report(): void {
    const { metrics, clock } = this.#ports;
    metrics.inFlight(this.#parts.lanes.inFlight);
    metrics.lanes(this.#parts.lanes.stats());
    this.#parts.partitions.report();
    this.#stopReporting = clock.schedule(this.#reportEveryMs, () => this.#report());
  }

  #isHeld(): boolean {
    return this.#ports.membership.heldUntil() > this.#ports.clock.monotonic();
  }
}
