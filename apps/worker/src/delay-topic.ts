import type { Delivery } from '#libs/contracts';
import { LaneQueue, takeUpAt } from '#libs/core';
import type { LogFeed, LogRecord, TopicPartition } from '#libs/kafka';
import type { Clock } from './clock.js';
import type { Copy, OwnedPartition } from './owned-partition.js';

/** A copy that waits for the time at which its topic gives it back. */
export interface DelayedCopy {
  readonly id: string;
  readonly delivery: Delivery;
  readonly copy: Copy;
  readonly bytes: number;
  readonly takeUpAt: number;
}

export interface DelayTopicPorts {
  readonly feed: LogFeed;
  readonly clock: Clock;
  /** False while the worker's memory is full, or it is to wait for a lane: then even what is due waits. */
  mayTakeUp(partition: OwnedPartition): boolean;
  takeUp(partition: OwnedPartition, due: DelayedCopy): void;
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

  /** A copy was read that stands for itself. */
  hold(record: LogRecord, id: string, delivery: Delivery, copy: Copy): void {
    const bytes = record.value?.length ?? 0;
    const at = takeUpAt(record.timestamp, this.#options.delayMs);
    this.#waiting.offer({ id, delivery, copy, bytes, takeUpAt: at }, bytes);
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
      if (!this.#ports.mayTakeUp(this.#partition)) break;
      this.#waiting.shift();
      this.#ports.takeUp(this.#partition, head);
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
