/**
 * Reads: posthorn.attempts, in the partitions of those endpoints that a test waits for, from the end that they had before.
 * Writes: nothing.
 * Guarantees: one connection for all who wait in this process, and none while nobody waits; any number of processes.
 * On a crash: nothing is left behind: there is no group, and no position is kept.
 * Test: attempt-watch.spec.ts.
 */
import type { Attempt } from '#libs/contracts';
import type { LogBounds, LogFeed, LogRecord, TopicPartition } from '#libs/kafka';
import type { PlatformCodecs } from '#libs/schema-codec';
import { AppError } from '../problem/app-error.js';

export interface AttemptWatchPorts {
  /** Rejects with an AppError while the brokers do not answer. */
  bounds(partitions: readonly TopicPartition[]): Promise<readonly LogBounds[]>;
  /** Opens a connection. */
  feed(): LogFeed;
  readonly codecs: Pick<PlatformCodecs, 'prepare' | 'attempt'>;
  readonly schedule: (ms: number, run: () => void) => () => void;
  readonly log: { warn(details: object, message: string): void };
}

/** What is waited for: the final Attempt of a stream of one delivery. */
export interface Awaited {
  readonly endpointId: string;
  readonly stream: string;
  readonly partition: number;
}

export interface Watched {
  /** Rejects with an AppError when it cannot be seen any more. */
  readonly final: Promise<Attempt>;
  /** Nobody waits for it any more. */
  end(): void;
}

interface Waiter {
  readonly endpointId: string;
  readonly resolve: (attempt: Attempt) => void;
  readonly reject: (error: AppError) => void;
}

interface Followed {
  /** By stream. */
  readonly waiting: Map<string, Waiter>;
  begun: Promise<void>;
}

const againMs = 500;

export class AttemptWatch {
  readonly #topic: string;
  readonly #ports: AttemptWatchPorts;
  readonly #followed = new Map<number, Followed>();
  #feed: LogFeed | null = null;
  #isClosed = false;

  constructor(topic: string, ports: AttemptWatchPorts) {
    this.#topic = topic;
    this.#ports = ports;
  }

  /** Resolves when it watches: what is appended from now on is seen. Call `end` then, whatever comes. */
  async watch({ partition, endpointId, stream }: Awaited): Promise<Watched> {
    if (this.#isClosed) throw stopping();
    const followed = this.#partition(partition);
    const { promise: final, resolve, reject } = Promise.withResolvers<Attempt>();
    // Whoever has given up waiting does not look at it.
    final.catch(() => undefined);
    followed.waiting.set(stream, { endpointId, resolve, reject });
    const end = (): void => this.#end(partition, followed, stream);
    try {
      await followed.begun;
    } catch (error) {
      end();
      throw error;
    }
    return { final, end };
  }

  /** Those who wait are told that this process stops. */
  close(): void {
    this.#isClosed = true;
    for (const { waiting } of this.#followed.values()) for (const { reject } of waiting.values()) reject(stopping());
  }

  #partition(partition: number): Followed {
    const known = this.#followed.get(partition);
    if (known !== undefined) return known;
    const followed: Followed = { waiting: new Map(), begun: Promise.resolve() };
    this.#followed.set(partition, followed);
    followed.begun = this.#begin(partition, followed);
    return followed;
  }

  async #begin(partition: number, followed: Followed): Promise<void> {
    const at = { topic: this.#topic, partition };
    const [bounds] = await this.#ports.bounds([at]);
    // All who wanted it have given up meanwhile.
    if (this.#followed.get(partition) !== followed) return;
    this.#feed ??= this.#ports.feed();
    this.#feed.follow(at, bounds?.end ?? 0, {
      onRecords: (records) => this.#read(records, followed),
      onOutOfRange: (cause) => {
        const lost = new AppError('broker-unavailable', 'The log of attempts was replaced meanwhile.', { cause });
        for (const { reject } of followed.waiting.values()) reject(lost);
      },
    });
  }

  #end(partition: number, followed: Followed, stream: string): void {
    followed.waiting.delete(stream);
    if (followed.waiting.size > 0 || this.#followed.get(partition) !== followed) return;
    this.#followed.delete(partition);
    this.#feed?.unfollow({ topic: this.#topic, partition });
    if (this.#followed.size > 0) return;
    this.#feed?.close().catch((err: unknown) => this.#ports.log.warn({ err }, 'a connection to the log stays open'));
    this.#feed = null;
  }

  /** Most records of a busy partition are of others: those are not even decoded. */
  #read(records: readonly LogRecord[], followed: Followed): void {
    const wanted = new Set([...followed.waiting.values()].map(({ endpointId }) => endpointId));
    const values = records.flatMap(({ key, value }) =>
      value !== null && key !== null && wanted.has(key.toString('utf8')) ? [value] : [],
    );
    if (values.length > 0) void this.#look(values, followed);
  }

  async #look(values: readonly Buffer[], { waiting }: Followed): Promise<void> {
    const { codecs, schedule, log } = this.#ports;
    for (let isPrepared = false; !isPrepared;) {
      if (waiting.size === 0) return;
      isPrepared = await codecs.prepare(values).then(
        () => true,
        async (err: unknown) => {
          log.warn({ err }, 'attempts cannot be read yet; those who wait for a test wait on');
          await new Promise<void>((resolve) => void schedule(againMs, resolve));
          return false;
        },
      );
    }
    for (const value of values) {
      const attempt = this.#decoded(value);
      if (attempt?.final === true) waiting.get(attempt.stream)?.resolve(attempt);
    }
  }

  /** Null: somebody else wrote it. */
  #decoded(value: Buffer): Attempt | null {
    try {
      return this.#ports.codecs.attempt.decode(value);
    } catch (err) {
      this.#ports.log.warn({ err }, 'a record of the attempts topic is none');
      return null;
    }
  }
}

const stopping = (): AppError =>
  new AppError('shutting-down', 'What became of the test, if it was sent, will be in the delivery log.', {
    headers: { 'retry-after': '1' },
  });
