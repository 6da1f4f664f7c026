import { randomBytes } from 'node:crypto';
import {
  topicNames,
  type Attempt,
  type DeadLetter,
  type Delivery,
  type EndpointConfig,
  type ReplayConfig,
} from '#libs/contracts';
import {
  firstCommitMetadata,
  formatSecret,
  partitionFor,
  scheduleOf,
  sealSecret,
  webhookIdOf,
  type AttemptErrorKind,
  type PostResult,
} from '#libs/core';
import {
  InMemoryLog,
  type InMemoryMembership,
  type LogReader,
  type LogRecord,
  type OutgoingRecord,
  type PartitionCommit,
  type RecordSender,
  type SendOptions,
} from '#libs/kafka';
import {
  InMemoryRegistry,
  openSchemaCodec,
  platformSchemas,
  type PlatformCodecs,
  type RecordCodec,
} from '#libs/schema-codec';
import type { HttpPost } from '#libs/http-delivery';
import { DeliverConsumer, type ConsumerOptions } from '../deliver.consumer.js';
import { aDelivery, anEndpointConfig } from '#libs/testing';
import { VirtualTime } from './virtual-time.js';

/** What an endpoint does with a POST: `status` and headers after `afterMs`, an error, or nothing ever. */
export type Reaction =
  | {
      readonly status: number;
      readonly headers?: Record<string, string>;
      readonly body?: string;
      readonly afterMs?: number;
    }
  | { readonly error: AttemptErrorKind; readonly afterMs?: number }
  | 'hang';

export interface Posted {
  readonly at: number;
  readonly worker: string;
  readonly endpointId: string;
  readonly webhookId: string;
  readonly post: HttpPost;
}

export interface TestWorker {
  readonly consumer: DeliverConsumer;
  readonly membership: InMemoryMembership;
  readonly alarms: string[];
  /** Ends it in the midst of whatever it does, and its session with it. */
  kill(): Promise<void>;
}

export const secret = formatSecret(Buffer.alloc(32, 7));
const masterKeys = new Map([[1, Buffer.alloc(32, 1)]]);
const partitions = 4;
const groupId = 'posthorn.worker';
const ok: Reaction = { status: 200 };

/** Workers over the in-memory log, with scripted endpoints, in virtual time. */
export class WorkerWorld {
  readonly time = new VirtualTime();
  readonly topics = topicNames('posthorn');
  readonly log: InMemoryLog;
  readonly posts: Posted[] = [];
  /** Of each endpoint: what it does with its nth POST (from 1). Default: 200 at once. */
  readonly reactions = new Map<string, (nth: number) => Reaction>();
  /** How long an append waits before it reaches the log, ms; Infinity: its answer never comes, nor the record. */
  appendDelay: (records: readonly OutgoingRecord[]) => number = () => 0;
  /** So many readings of the log fail, from now on. */
  failingReads = 0;
  /** What workers told last of themselves. */
  readonly told = { inFlight: new Map<string, number>(), mostOutstanding: 0, outcomes: [] as string[] };
  /** What `random()` gives: 0.5 is no jitter. */
  random = 0.5;
  readonly #ends = new Map<string, () => void>();
  #workers = 0;
  #offset = 0;

  private constructor(readonly codecs: PlatformCodecs) {
    const { time } = this;
    this.log = new InMemoryLog({
      now: () => time.now(),
      monotonic: () => time.monotonic(),
      defer: (task) => time.defer(task),
      after: (ms, task) => time.schedule(ms, task),
    });
    const names = this.topics;
    this.log.createTopic(names.events, 1);
    for (const name of [names.deliveries, names.attempts, names.deadLetters, ...names.retry.map((one) => one.name)]) {
      this.log.createTopic(name, partitions);
    }
    this.log.createTopic(names.endpoints, 1);
    this.log.createTopic(names.endpointStatus, partitions);
  }

  /** @param positions false: the group has none yet */
  static async open({ positions = true } = {}): Promise<WorkerWorld> {
    const registry = new InMemoryRegistry();
    for (const [subject, schema] of Object.entries(platformSchemas)) registry.register(subject, schema);
    const world = new WorkerWorld((await openSchemaCodec(registry)).platform);
    if (positions) await world.log.administration().setCommits(groupId, world.firstCommits());
    return world;
  }

  /** What `posthorn topics create` writes for a group that has no position yet. */
  firstCommits(): PartitionCommit[] {
    const metadata = firstCommitMetadata(this.topics.retry.map((topic) => topic.delayMs));
    const topic = this.topics.deliveries;
    return Array.from({ length: partitions }, (_, partition) => ({ topic, partition, offset: 0, metadata }));
  }

  /** Starts a worker; its first assignment comes as time passes. */
  async worker(options: Partial<ConsumerOptions> = {}): Promise<TestWorker> {
    const workerId = `worker-${++this.#workers}`;
    let membership: InMemoryMembership | undefined;
    let killed = false;
    const alarms: string[] = [];
    const { log, time } = this;
    const never = new Promise<never>(() => undefined);
    const ifAlive = (task: () => void) => () => void (killed || task());
    const kafka: ConstructorParameters<typeof DeliverConsumer>[0] = {
      feed: () => log.feed(),
      reader: () => this.#reader(),
      administration: () => log.administration(),
      ping: () => log.ping(),
      membership: (given) => (membership = log.membership(given)),
      sender: () => {
        const sender = log.sender();
        return { ...sender, send: (records, how) => (killed ? never : this.#send(sender, records, how)) };
      },
    };
    const consumer = new DeliverConsumer(
      kafka,
      {
        topics: this.topics,
        groupId,
        dispatcherGroupId: 'posthorn.dispatcher',
        workerId,
        masterKeys,
        maxInFlight: 64,
        laneRecords: 100,
        laneBytes: 1_000_000,
        // The log is looked into.
        trimEveryMs: 1_000 * 86_400_000,
        ...options,
      },
      {
        http: { post: (post) => (killed ? never : this.#post(workerId, post)) },
        codecs: this.codecs,
        clock: {
          now: () => time.now(),
          monotonic: () => time.monotonic(),
          schedule: (ms, task) => time.schedule(ms, ifAlive(task)),
          defer: (task) => time.defer(ifAlive(task)),
        },
        random: () => this.random,
        metrics: {
          ...noMetrics,
          attempt: (outcome) => void this.told.outcomes.push(outcome),
          inFlight: (count) => void this.told.inFlight.set(workerId, count),
          outstanding: (_, count) => {
            this.told.mostOutstanding = Math.max(this.told.mostOutstanding, count);
          },
        },
        log: { info: () => undefined, warn: () => undefined, error: (_, message) => void alarms.push(message) },
        fatal: (error) => void alarms.push(error.message),
      },
    );
    this.#ends.set(workerId, () => {
      killed = true;
      membership?.freeze();
    });
    const started = consumer.start();
    // Others may take up to a second before they let the join go on.
    await this.time.during(started);
    if (membership === undefined) throw new Error('no membership was asked for');
    const member = membership;
    const kill = async (): Promise<void> => {
      this.end(workerId);
      await time.during(member.expire());
    };
    return { consumer, membership, alarms, kill };
  }

  /** Ends a worker in the midst of whatever it does; `kill` is to follow. */
  end(worker: string): void {
    this.#ends.get(worker)?.();
  }

  /** Writes an endpoint's configuration. @returns its version */
  async endpoint(endpointId: string, changes: Partial<EndpointConfig> = {}): Promise<number> {
    const config = anEndpointConfig({
      endpointId,
      url: `http://receiver.test/${endpointId}`,
      secrets: [
        { secretId: 's1', ciphertext: sealSecret(masterKeys, secret, endpointId, randomBytes(12)), expiresAt: null },
      ],
      maxInFlight: 4,
      retry: scheduleOf([5_000, 60_000], { jitter: 0.2, maxDelayMs: 3_600_000 }),
      updatedAt: this.time.now(),
      ...changes,
    });
    return this.append(this.topics.endpoints, 0, endpointId, this.codecs.endpointConfig.encode(config));
  }

  async deleteEndpoint(endpointId: string): Promise<number> {
    return this.append(this.topics.endpoints, 0, endpointId, null);
  }

  /** Writes a replay's record. @returns its offset */
  async replay(replayId: string, changes: Partial<ReplayConfig> = {}): Promise<number> {
    const replay: ReplayConfig = {
      replayId,
      tenantId: 'acme',
      state: 'running',
      rateLimit: null,
      revision: 1,
      updatedAt: this.time.now(),
      ...changes,
    };
    return this.append(this.topics.endpoints, 0, replayId, this.codecs.replayConfig.encode(replay));
  }

  /** Appends a delivery. @returns its event id */
  async deliver(endpointId: string, configVersion: number, changes: Partial<Delivery> = {}): Promise<string> {
    const offset = this.#offset++;
    const eventId = `event-${offset}`;
    const delivery = aDelivery({
      endpointId,
      webhookId: webhookIdOf(endpointId, '/test', eventId),
      sourceOffset: offset,
      configVersion,
      eventId,
      eventSource: '/test',
      acceptedAt: this.time.now(),
      dispatchedAt: this.time.now(),
      contentType: 'application/cloudevents+json',
      body: Buffer.from(`{"id":"${eventId}"}`),
      ...changes,
    });
    const partition = partitionFor(endpointId, partitions);
    await this.append(this.topics.deliveries, partition, endpointId, this.codecs.delivery.encode(delivery));
    return eventId;
  }

  async append(topic: string, partition: number, key: string, value: Buffer | null): Promise<number> {
    const sent = this.log.sender().send([{ topic, partition, key, value }]);
    await this.time.run(0);
    return (await sent)[0]?.offset ?? -1;
  }

  attempts(): Attempt[] {
    return this.#decoded(this.topics.attempts, this.codecs.attempt);
  }

  deadLetters(): DeadLetter[] {
    return this.#decoded(this.topics.deadLetters, this.codecs.deadLetter);
  }

  /** Copies in a retry topic, shortest first. */
  copies(topic: number): Delivery[] {
    const records = this.log.recordsOf(this.topics.retry[topic]?.name ?? '');
    return records.flatMap(({ value }) =>
      value === null || this.codecs.isFence(value) ? [] : [this.codecs.delivery.decode(value)],
    );
  }

  /** Event ids with their final outcome. */
  outcomes(): Map<string, string> {
    return new Map(
      this.attempts()
        .filter((attempt) => attempt.final)
        .map((attempt) => [attempt.eventId, attempt.outcome]),
    );
  }

  postsTo(endpointId: string): Posted[] {
    return this.posts.filter((one) => one.endpointId === endpointId);
  }

  /** An endpoint id that lies in the given partition. */
  idIn(partition: number, nth = 0): string {
    for (let i = 0, found = 0; ; i += 1) {
      if (partitionFor(`ep_${i}`, partitions) === partition && found++ === nth) return `ep_${i}`;
    }
  }

  async #send(sender: RecordSender, records: readonly OutgoingRecord[], how?: SendOptions) {
    const delay = this.appendDelay(records);
    if (delay > 0) await new Promise<void>((resolve) => delay < Infinity && void this.time.schedule(delay, resolve));
    return sender.send(records, how);
  }

  #reader(): LogReader {
    const reader = this.log.reader();
    return {
      bounds: (partitions) => reader.bounds(partitions),
      offsetsAt: (partitions, timestamp) => reader.offsetsAt(partitions, timestamp),
      range: (partition, from, to) => {
        this.failingReads -= 1;
        if (this.failingReads >= 0) throw new Error('no broker answers, as scripted');
        return reader.range(partition, from, to);
      },
      close: () => reader.close(),
    };
  }

  #decoded<T>(topic: string, codec: RecordCodec<T>): T[] {
    return this.log.recordsOf(topic).map((record: LogRecord) => codec.decode(record.value ?? Buffer.alloc(0)));
  }

  #post(worker: string, post: HttpPost): Promise<PostResult> {
    const endpointId = post.path.slice(1);
    const webhookId = post.headers['webhook-id'] ?? '';
    this.posts.push({ at: this.time.now(), worker, endpointId, webhookId, post });
    const reaction = this.reactions.get(endpointId)?.(this.postsTo(endpointId).length) ?? ok;
    const { promise, resolve } = Promise.withResolvers<PostResult>();
    if (reaction === 'hang') {
      const error = { kind: 'total-timeout', message: 'no answer' } as const;
      this.time.schedule(post.timeoutMs, () => resolve({ kind: 'error', error, durationMs: post.timeoutMs }));
      return promise;
    }
    const durationMs = reaction.afterMs ?? 1;
    const result: PostResult =
      'error' in reaction
        ? { kind: 'error', error: { kind: reaction.error, message: 'as scripted' }, durationMs }
        : {
            kind: 'response',
            status: reaction.status,
            headers: reaction.headers ?? {},
            body: Buffer.from(reaction.body ?? 'answer'),
            truncated: false,
            durationMs,
          };
    this.time.schedule(durationMs, () => resolve(result));
    return promise;
  }
}

const nothing = (): void => undefined;
const noMetrics: ConstructorParameters<typeof DeliverConsumer>[2]['metrics'] = {
  attempt: nothing,
  delivered: nothing,
  retried: nothing,
  deadLettered: nothing,
  batch: nothing,
  inFlight: nothing,
  lag: nothing,
  outstanding: nothing,
  lanes: nothing,
  partitionLost: nothing,
  partitionStopped: nothing,
  tokenFetched: nothing,
};
