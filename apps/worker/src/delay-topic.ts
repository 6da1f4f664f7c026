import type { Delivery } from '#libs/contracts';
import { LaneQueue, takeUpAt } from '#libs/core';
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

const unbounded = { maxRecords: Infinity, maxBytes: Infinity };
const fullCheckMs = 100;
/** A fraction of the bound at which reading goes on. */
const resumeAt = 0.5;

/**
 * One partition of one retry topic. Its head is taken up at its append time plus the topic's delay; since appends are in
 * order of time, so are take-ups, and one timer is enough.
 */
export class DelayTopic {
  readonly #partition: OwnedPartition;
  readonly #at: TopicPartition;
  readonly #options: DelayTopicOptions;
  readonly #ports: DelayTopicPorts;
  readonly #waiting = new LaneQueue<DelayedCopy>(unbounded);
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
    const held: DelayedCopy = { entry, hop: delivery.hop, delivery, bytes, takeUpAt: at };
    entry.held = held;
    this.#waiting.offer(held, bytes);
    if (this.#fills(1) && !this.#paused) {
      this.#paused = true;
      this.#ports.feed.pause(this.#at);
    }
    if (this.#disarm === null) this.#arm();
  }

  close(): void {
    this.#disarm?.();
    this.#ports.feed.unfollow(this.#at);
  }

  #fills(share: number): boolean {
    const { maxRecords, maxBytes } = this.#options;
    return this.#waiting.size >= maxRecords * share || this.#waiting.bytes >= maxBytes * share;
  }

  #arm(): void {
    const head = this.#waiting.peek();
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
    for (let head = this.#waiting.peek(); head !== undefined && head.takeUpAt <= now; head = this.#waiting.peek()) {
      // What was superseded, closed, or taken up by another way is passed over.
      const stands = head.entry.held === head;
      if (stands && !this.#ports.mayTakeUp(head)) break;
      this.#waiting.shift();
      if (stands) this.#ports.takeUp(head);
    }
    this.#ports.done();
    const head = this.#waiting.peek();
    if (head !== undefined && head.takeUpAt <= now) this.#wake(fullCheckMs);
    else this.#arm();
    if (this.#paused && !this.#fills(resumeAt)) {
      this.#paused = false;
      this.#ports.feed.resume(this.#at);
    }
  }
}
