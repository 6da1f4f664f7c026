import type { Delivery } from '#libs/contracts';
import { deliveryIdOf, isTestStream, placementOf } from '#libs/core';
import type { LogRecord } from '#libs/kafka';
import type { Backlog } from './backlog.js';
import type { Clock } from './clock.js';
import type { Copies } from './copies.js';
import { expiryOf, type EndpointDirectory } from './endpoint-directory.js';
import type { Ahead, FarCopies } from './far-copies.js';
import type { Halts } from './halts.js';
import type { Offered } from './lanes-ports.js';
import type { Lanes } from './lanes.js';
import type { Outcomes } from './outcomes.js';
import type { DelayedCopy, EndpointShare, Entry, OwnedPartition } from './owned-partition.js';
import type { RetryTimers } from './retry-timers.js';

export interface IntakePorts {
  readonly clock: Clock;
  readonly backlog: Backlog;
  readonly lanes: Lanes;
  readonly timers: RetryTimers;
  readonly outcomes: Outcomes;
  readonly copies: Copies;
  readonly directory: EndpointDirectory;
  readonly halts: Halts;
  readonly farCopies: FarCopies;
  /** Whether there is room in memory, and it is acknowledged. */
  mayTakeUp(held: DelayedCopy): boolean;
  /** It was taken up from a retry topic. */
  taken(delivery: Delivery): void;
}

export interface IntakeOptions {
  /** Delays of the retry topics, shortest first. */
  readonly delaysMs: readonly number[];
  /** What an endpoint may have outstanding before the rest of it waits in longer turns. */
  readonly maxOutstanding: number;
}

const spillDelayMs: Readonly<Record<Exclude<Offered, 'taken'>, number>> = {
  brief: 5_000,
  short: 30_000,
  minutes: 300_000,
};

/** Of an endpoint, when its lane has room: the next time comes with the next answer. */
const pulledAtOnce = 32;

/** Where a copy goes when it was read: to the delivery that it belongs to, into a lane, a timer, or another topic. */
export class Intake {
  readonly #ports: IntakePorts;
  readonly #options: IntakeOptions;

  constructor(options: IntakeOptions, ports: IntakePorts) {
    this.#options = options;
    this.#ports = ports;
  }

  /** A record of `deliveries` was read. */
  fresh(partition: OwnedPartition, { offset, value }: LogRecord, delivery: Delivery): void {
    const copy = { tracker: partition.deliveries, offset };
    const id = deliveryIdOf(delivery);
    if (partition.seen.isRepeat(delivery, offset) || partition.closed.has(id)) {
      partition.ledger.settle(copy);
      return;
    }
    if (partition.ledger.met(id, delivery.hop, copy) !== 'stranger') return;
    const entry = partition.enter(id, offset, delivery);
    entry.copies.push(copy);
    entry.started = partition.started.get(id) ?? 0;
    this.#ports.backlog.load(entry, delivery, value?.length ?? 0);
    this.#place(entry);
  }

  /** A copy has waited in its retry topic for as long as it had to, or need not wait any longer. */
  takeUp({ entry, delivery, bytes }: DelayedCopy): void {
    if (delivery === null) return;
    this.#ports.taken(delivery);
    this.#ports.backlog.load(entry, delivery, bytes);
    this.#place(entry);
  }

  /**
   * There is room in an endpoint's lane: what waits in a retry topic for that alone, and was read already, is taken up
   * before its time. Else a lane that is fast would be empty until the next turn. What is cancelled is taken up to be
   * dropped.
   */
  pull(share: EndpointShare): void {
    if (share.here === share.outstanding) return;
    const wanted = new Map<string, Ahead>();
    for (const stream of share.windows.keys()) {
      const ahead = this.aheadOf(share.endpointId, stream);
      if (ahead !== 'nothing') wanted.set(stream, ahead);
    }
    if (wanted.size === 0) return;
    let [taken, looked] = [0, 0];
    for (const entry of share.held) {
      if (taken === pulledAtOnce || looked === 8 * pulledAtOnce) break;
      const ahead = wanted.get(entry.stream);
      if (ahead === undefined) continue;
      looked += 1;
      if (this.#pullOne(entry, ahead)) taken += 1;
    }
    if (taken === 0) this.#ports.farCopies.look(share);
  }

  /** What is wanted of an endpoint's stream ahead of its time. */
  aheadOf(endpointId: string, stream: string): Ahead {
    const { directory, lanes } = this.#ports;
    const replay = directory.replays.get(stream)?.state;
    if (replay === 'cancelled') return 'all';
    if (replay === 'paused' || !directory.isSentTo(endpointId)) return 'nothing';
    if (lanes.circuitOpenMs(endpointId) !== null || lanes.hasEnoughOf(endpointId, stream)) return 'nothing';
    return 'startable';
  }

  /** A copy was looked up in the log before its time. */
  found(entry: Entry, delivery: Delivery, recordBytes: number): void {
    if (entry.place === 'here' || entry.hop !== delivery.hop) return;
    this.#ports.backlog.load(entry, delivery, recordBytes);
    this.#place(entry);
  }

  /** They may go now, by their order. */
  freed(entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (entry.place !== 'held') this.#ports.lanes.unblocked(entry);
      else this.#pullOne(entry, this.aheadOf(entry.endpointId, entry.stream));
    }
  }

  #pullOne(entry: Entry, ahead: Ahead): boolean {
    const { held } = entry;
    const delivery = held?.delivery ?? null;
    if (held === null || delivery === null || ahead === 'nothing' || !this.#ports.mayTakeUp(held)) return false;
    if (ahead === 'startable') {
      if (delivery.haltedAt !== null || !entry.partition.mayGo(entry)) return false;
      if (delivery.dueAt !== null && delivery.dueAt > this.#ports.clock.now()) return false;
    }
    this.takeUp(held);
    return true;
  }

  /** Into its lane, or, where that is full, back over a short retry topic: it never stops the partition. */
  admit(entry: Entry): void {
    const { directory, outcomes, lanes } = this.#ports;
    if (directory.lookup(entry.delivery).kind === 'gone') {
      outcomes.drop(entry);
      return;
    }
    const offered = lanes.offer(entry);
    if (offered === 'taken') return;
    // Later it would tell whoever has sent it nothing.
    if (isTestStream(entry.stream)) outcomes.giveUp(entry, 'overloaded', 'too many tests wait for the endpoint');
    else this.turnAway(entry, offered);
  }

  /** There is no room for it in its lane. */
  turnAway(entry: Entry, wait: Exclude<Offered, 'taken'>): void {
    // Followers of a halted delivery, and what is beyond the bound of an endpoint, would only go round and round.
    const isCrowd = entry.share.outstanding > this.#options.maxOutstanding || this.#ports.halts.holds(entry);
    this.#ports.copies.spill(entry, spillDelayMs[isCrowd && wait !== 'brief' ? 'minutes' : wait]);
  }

  #place(entry: Entry): void {
    const { clock, timers, outcomes, copies, directory, backlog, halts } = this.#ports;
    const { delivery } = entry;
    if (directory.lookup(delivery).kind === 'gone') {
      outcomes.drop(entry);
      return;
    }
    if (delivery.haltedAt !== null) {
      this.#placeHalted(entry, halts.decisionOn(entry));
      return;
    }
    const now = clock.now();
    const placement = placementOf(this.#options.delaysMs, delivery.dueAt, now);
    switch (placement.kind) {
      case 'now':
        // One behind another waits for what becomes of that.
        if (this.#isExpired(entry, now) && entry.partition.mayGo(entry))
          outcomes.expire(entry, directory.configOf(delivery.endpointId));
        else this.admit(entry);
        return;
      case 'timer':
        // With the memory nearly full it goes round once more, and comes late rather than never.
        if (backlog.isHigh) copies.hop(entry, 0);
        else timers.add(placement.dueAt, entry);
        return;
      case 'hop':
        copies.hop(entry, placement.topic);
    }
  }

  #placeHalted(entry: Entry, decision: ReturnType<Halts['decisionOn']>): void {
    const { outcomes, copies, clock } = this.#ports;
    switch (decision) {
      case 'release':
        entry.load({
          ...entry.delivery,
          haltedAt: null,
          dueAt: null,
          scheduleFrom: entry.delivery.attempt,
          scheduledSince: clock.now(),
        });
        this.admit(entry);
        return;
      case 'skip':
        outcomes.giveUp(entry, 'skipped', 'it was skipped by request');
        return;
      case 'wait':
        copies.putOff(entry);
    }
  }

  /** A first attempt is always made while the endpoint can take it: the policy bounds its retries and its waiting. */
  #isExpired({ delivery }: Entry, now: number): boolean {
    const found = this.#ports.directory.lookup(delivery);
    if (found.kind !== 'ready') return false;
    const until = expiryOf(delivery, found.endpoint.config);
    return until !== null && now > until;
  }
}
