import {
  OffsetOutOfRange,
  partitionName,
  type FeedHandler,
  type LogFeed,
  type LogRecord,
  type TopicPartition,
} from '#libs/kafka';
import type { Broker } from './broker.js';
import type { SimProcess } from './sim-process.js';

interface Followed {
  readonly at: TopicPartition;
  readonly handler: FeedHandler;
  position: number;
  toldEnd: number;
  paused: boolean;
  fetching: boolean;
  /** Fetched, and not handed on when it paused. */
  kept: { readonly records: readonly LogRecord[]; readonly end: number } | null;
}

/** What `LogFeed` promises: each partition is fetched by itself, now and then late, in batches of any size. */
export class SimFeed implements LogFeed {
  readonly #process: SimProcess;
  readonly #broker: Broker;
  readonly #lagMs: (topic: string) => number;
  readonly #followed = new Map<string, Followed>();

  /** @param lagMs how much later than it could a fetch answers */
  constructor(process: SimProcess, broker: Broker, lagMs: (topic: string) => number) {
    this.#process = process;
    this.#broker = broker;
    this.#lagMs = lagMs;
  }

  follow({ topic, partition }: TopicPartition, offset: number, handler: FeedHandler): void {
    if (!this.#process.enters()) return;
    const at = { topic, partition };
    const followed = { at, handler, position: offset, toldEnd: -1, paused: false, fetching: false, kept: null };
    this.#followed.set(partitionName(at), followed);
    this.#fetch(followed);
  }

  pause(at: TopicPartition): void {
    const followed = this.#followed.get(partitionName(at));
    if (followed !== undefined) followed.paused = true;
  }

  resume(at: TopicPartition): void {
    const followed = this.#followed.get(partitionName(at));
    if (followed === undefined || !followed.paused) return;
    followed.paused = false;
    const { kept } = followed;
    if (kept === null) return this.#fetch(followed);
    // Not from within the caller: a feed calls its handlers by itself.
    this.#process.schedule(0, () => {
      if (followed.kept !== kept) return;
      followed.kept = null;
      this.#handOn(followed, kept.records, kept.end);
    });
  }

  unfollow(at: TopicPartition): void {
    this.#followed.delete(partitionName(at));
  }

  close(): Promise<void> {
    this.#followed.clear();
    return Promise.resolve();
  }

  #isFollowed(followed: Followed): boolean {
    return this.#followed.get(partitionName(followed.at)) === followed;
  }

  #fetch(followed: Followed): void {
    if (followed.fetching || followed.paused || !this.#isFollowed(followed)) return;
    followed.fetching = true;
    const { time } = this.#process;
    const look = (): void => {
      if (this.#process.isDead || !this.#isFollowed(followed)) return;
      const { log } = this.#broker;
      const bounds = log.boundsOf(followed.at);
      if (followed.position < bounds.start || followed.position > bounds.end) {
        const error = new OffsetOutOfRange(followed.at, followed.position, bounds);
        this.#process.answer(() => {
          if (!this.#isFollowed(followed)) return;
          this.#followed.delete(partitionName(followed.at));
          followed.handler.onOutOfRange(error);
        });
        return;
      }
      if (followed.position === bounds.end && followed.toldEnd === bounds.end) {
        this.#broker.whenGrown(followed.at, () =>
          time.schedule(this.#lagMs(followed.at.topic), () => this.#broker.reach(look)),
        );
        return;
      }
      const from = followed.position - bounds.start;
      const size = this.#process.random.chance(0.2) ? this.#process.random.int(1, 3) : (followed.handler.atOnce ?? 500);
      const records = log.stored(followed.at)?.records.slice(from, from + size) ?? [];
      this.#process.answer(() => {
        followed.fetching = false;
        this.#handOn(followed, records, bounds.end);
      });
    };
    time.schedule(this.#process.latency() + this.#lagMs(followed.at.topic), () => this.#broker.reach(look));
  }

  #handOn(followed: Followed, records: readonly LogRecord[], end: number): void {
    if (!this.#isFollowed(followed)) return;
    if (followed.paused) {
      followed.kept = { records, end };
      return;
    }
    followed.position += records.length;
    if (followed.position >= end) followed.toldEnd = end;
    followed.handler.onRecords(records, end);
    this.#fetch(followed);
  }
}
