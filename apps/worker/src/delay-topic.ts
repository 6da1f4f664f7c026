import type { Delivery } from '#libs/contracts';
import { takeUpAt } from '#libs/core';
import type { LogFeed, LogRecord, TopicPartition } from '#libs/kafka';
import type { Clock } from './clock.js';
import type { DelayedCopy, Entry, OwnedPartition } from './owned-partition.js';

export interface DelayTopicPorts {
  readonly feed: LogFeed;
  readonly clock: Clock;
  /** False while the worker's memory is full, or it is to wait for a lane or for fresh deliveries: then even what is due waits. */
  mayTakeUp(due: DelayedCopy): boolean;
  takeUp(due: DelayedCopy): void;
  /** What was due has been taken up. */
  done(): void;
}

export interface DelayTopicOptions {
  readonly delayMs: number;
  /** What is read ahead of its time, at most (and the rest of the fetch in which the bound was met). */
  readonly maxRecords: number;
  readonly maxBytes: number;
}

const fullCheckMs = 100;
/** What was spilled together is due together: others get their turn in between. */
const takenAtOnce = 16;
/** A fraction of the bound at which reading goes on. */
const resumeAt = 0.5;

/**
 * One partition of one retry topic. Its head is taken up at its append time plus the topic's delay; since appends are in
 * order of time, so are take-ups, and one timer is enough. What was taken up before its time is passed over.
 */
export class DelayTopic {
  readonly #partition: OwnedPartition;
  readonly #at: TopicPartition;
  readonly #options: DelayTopicOptions;
  readonly #ports: DelayTopicPorts;
  /** In order of time; also those that were passed. */
  #waiting: DelayedCopy[] = [];
  #head = 0;
  /** Of those that were not passed. */
  #records = 0;
  #bytes = 0;
  #disarm: (() => void) | null = null;
  #paused = false;

  constructor(partition: OwnedPartition, at: TopicPartition, options: DelayTopicOptions, ports: DelayTopicPorts) {
    this.#partition = partition;
    this.#at = at;
    this.#options = options;
    this.#ports = ports;
  }

  /** The copy that stands for `entry`, or will when its append is acknowledged, was read. */
  hold(record: LogRecord, entry: Entry, delivery: Delivery): void {
    const bytes = record.value?.length ?? 0;
    const at = takeUpAt(record.timestamp, this.#options.delayMs);
    const held: DelayedCopy = { entry, hop: delivery.hop, delivery, bytes, takeUpAt: at, topic: this };
    this.#waiting.push(held);
    this.#records += 1;
    this.#bytes += bytes;
    entry.hold(held);
    if (this.#fills(1) && !this.#paused) {
      this.#paused = true;
      this.#ports.feed.pause(this.#at);
    }
    if (this.#disarm === null) this.#arm();
  }

  /** It was taken up, or is not needed. */
  passed({ bytes }: DelayedCopy): void {
    this.#records -= 1;
    this.#bytes -= bytes;
    if (this.#waiting.length > 64 + 2 * this.#records) {
      this.#waiting = this.#waiting.slice(this.#head).filter(({ delivery }) => delivery !== null);
      this.#head = 0;
    }
    if (!this.#paused || this.#fills(resumeAt) || !this.#partition.alive) return;
    this.#paused = false;
    this.#ports.feed.resume(this.#at);
  }

  close(): void {
    this.#disarm?.();
    this.#ports.feed.unfollow(this.#at);
  }

  #fills(share: number): boolean {
    const { maxRecords, maxBytes } = this.#options;
    return this.#records >= maxRecords * share || this.#bytes >= maxBytes * share;
  }

  /** The first that was not passed. */
  #first(): DelayedCopy | undefined {
    let first = this.#waiting[this.#head];
    while (first !== undefined && first.delivery === null) {
      this.#head += 1;
      first = this.#waiting[this.#head];
    }
    return first;
  }

  #arm(): void {
    const head = this.#first();
    if (head === undefined) return;
    const ms = Math.max(1, head.takeUpAt - this.#ports.clock.now());
    this.#wake(ms);
  }

  #wake(ms: number): void {
    this.#disarm = this.#ports.clock.schedule(ms, () => {
      this.#disarm = null;
      this.#takeUpDue();
    });
  }

  #takeUpDue(): void {
    if (!this.#partition.alive) return;
    const now = this.#ports.clock.now();
    const due: DelayedCopy[] = [];
    for (let i = this.#head; i < this.#waiting.length; i += 1) {
      const held = this.#waiting[i];
      if (held === undefined || held.takeUpAt > now) break;
      if (held.delivery !== null) due.push(held);
    }
    // One that must wait, for its lane or its order, holds up nobody behind it.
    let taken = 0;
    for (const held of due) {
      if (taken === takenAtOnce) break;
      if (held.delivery === null || !this.#ports.mayTakeUp(held)) continue;
      this.#ports.takeUp(held);
      taken += 1;
    }
    this.#ports.done();
    const head = this.#first();
    if (taken === takenAtOnce) this.#wake(1);
    else if (head !== undefined && head.takeUpAt <= now) this.#wake(fullCheckMs);
    else this.#arm();
  }
}
