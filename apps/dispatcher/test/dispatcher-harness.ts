import { deliveryIdOf, partitionFor } from '#libs/core';
import { InMemoryLog, type LogRecord } from '#libs/kafka';
import { platformSchemas, InMemoryRegistry, openSchemaCodec, type SchemaCodec } from '#libs/schema-codec';
import {
  tenantKey,
  topicNames,
  type Delivery,
  type EndOfSpace,
  type EndpointConfig,
  type EndpointStatus,
  type ReplayState,
  transformationPrefix,
  type TransformationConfig,
} from '#libs/contracts';
import { anEndpointConfig } from '#libs/testing';
import { Dispatcher, type DispatcherOptions } from '../src/dispatcher.js';
import { NotedFaults, plainContents } from './contents.js';
import { InMemoryCursors } from './in-memory-cursors.js';
import { InMemoryReplays } from './in-memory-replays.js';
import { ProcessView } from './process-view.js';
import { VirtualTime } from './virtual-time.js';

export const topics = topicNames('t');
const eventPartitions = 2;
const deliveryPartitions = 3;
const groupId = 't.dispatcher';

const taskUpdated = {
  type: 'record',
  namespace: 'task',
  name: 'updated',
  fields: [{ name: 'title', type: 'string' }],
};

/** A running dispatcher of a test. */
export interface TestProcess {
  readonly view: ProcessView;
  readonly dispatcher: Dispatcher;
  readonly lines: string[];
  readonly counts: {
    dispatched: number;
    repeats: number;
    frozen: number;
    joined: number;
    caughtUp: number;
    lost: number;
    rejected: string[];
    stopped: string[];
    faults: string[];
  };
}

export interface EventOptions {
  readonly id?: string;
  readonly tenant?: string;
  readonly partition?: number;
  readonly subject?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly value?: Buffer | null;
}

/** Log, registry and time of a test, all in memory; dispatchers are started over them. */
export class Harness {
  readonly log: InMemoryLog;
  readonly cursors = new InMemoryCursors();
  readonly replays = new InMemoryReplays(this.cursors);
  readonly faults = new NotedFaults();
  readonly processes: TestProcess[] = [];
  #written = 0;
  #workersTell = false;
  #callOff: () => void = () => undefined;

  private constructor(
    readonly time: VirtualTime,
    readonly registry: InMemoryRegistry,
    readonly codec: SchemaCodec,
    private readonly schemaId: number,
  ) {
    this.log = new InMemoryLog({ now: time.now, monotonic: time.monotonic, after: time.schedule });
    this.log.createTopic(topics.events, eventPartitions);
    this.log.createTopic(topics.eventsRejected, eventPartitions);
    this.log.createTopic(topics.deliveries, deliveryPartitions);
    this.log.createTopic(topics.deadLetters, deliveryPartitions);
    this.log.createTopic(topics.endpoints, 1);
    this.log.createTopic(topics.endpointStatus, deliveryPartitions);
  }

  static async open(): Promise<Harness> {
    const registry = new InMemoryRegistry();
    for (const [subject, schema] of Object.entries(platformSchemas)) registry.register(subject, schema);
    const schemaId = registry.register('task.updated', taskUpdated);
    const time = new VirtualTime();
    return new Harness(time, registry, await openSchemaCodec(registry, time.monotonic), schemaId);
  }

  /** Starts a dispatcher; it has joined when this resolves, unless something keeps it from that. */
  async start(options: Partial<DispatcherOptions> = {}, runner = plainContents.runner): Promise<TestProcess> {
    const view = new ProcessView(this.log);
    const lines: string[] = [];
    const counts: TestProcess['counts'] = {
      dispatched: 0,
      repeats: 0,
      frozen: 0,
      joined: 0,
      caughtUp: 0,
      lost: 0,
      rejected: [],
      stopped: [],
      faults: [],
    };
    const { codec } = this;
    const dispatcher = new Dispatcher(
      view,
      {
        codecs: { events: codec.events, config: codec.platform, platform: codec.platform },
        stores: { cursors: this.cursors, replays: this.replays, faults: this.faults },
        content: { ...plainContents, runner },
      },
      {
        topics,
        groupId,
        deliveryPartitions,
        maxEventBytes: 262_144,
        repeatWindow: 100_000,
        tenantGraceMs: 0,
        ...options,
      },
      {
        deliveriesDispatched: (count) => (counts.dispatched += count),
        eventRejected: (reason) => counts.rejected.push(reason),
        repeats: (count) => (counts.repeats += count),
        lag: () => undefined,
        partitionStopped: (topic, partition) => counts.stopped.push(`${topic}-${partition}`),
        partitionLost: () => undefined,
        endpointsFrozen: (count) => (counts.frozen += count),
        endpointsJoined: (count) => (counts.joined += count),
        deliveriesCaughtUp: (count) => (counts.caughtUp += count),
        eventsLost: (count) => (counts.lost += count),
        endpointFault: (kind) => counts.faults.push(kind),
        transformationRan: () => undefined,
      },
      this.time.surroundings(lines),
    );
    void dispatcher.start();
    await this.time.settle();
    const process = { view, dispatcher, lines, counts };
    this.processes.push(process);
    return process;
  }

  async tenant(tenantId = 'acme'): Promise<void> {
    const value = this.codec.platform.tenantConfig.encode({ tenantId, name: tenantId, updatedAt: 0 });
    await this.append(topics.endpoints, 0, tenantKey(tenantId), value);
  }

  /** @returns the version of the configuration. */
  async endpoint(endpointId: string, change: Partial<EndpointConfig> = {}): Promise<number> {
    const value = this.codec.platform.endpointConfig.encode(anEndpointConfig({ endpointId, ...change }));
    this.cursors.endpoints.add(endpointId);
    return this.append(topics.endpoints, 0, endpointId, value);
  }

  /** Appends a task.updated in binary mode with Avro data. @returns its offset. */
  async event({ id, tenant = 'acme', partition = 0, subject, headers, value }: EventOptions = {}): Promise<number> {
    this.#written += 1;
    return this.append(
      topics.events,
      partition,
      tenant,
      value === undefined ? this.avro(`Task ${this.#written}`) : value,
      {
        'content-type': 'application/avro',
        ce_specversion: '1.0',
        ce_id: id ?? `e${this.#written}`,
        ce_source: '/projects',
        ce_type: 'task.updated',
        ...(subject === undefined ? {} : { ce_subject: subject }),
        ...headers,
      },
    );
  }

  async events(count: number, options: EventOptions = {}): Promise<void> {
    for (let i = 0; i < count; i += 1) await this.event(options);
  }

  /** The data of a task.updated in the wire format. */
  avro(title: string): Buffer {
    const text = Buffer.from(title);
    const head = Buffer.alloc(5);
    head.writeUInt32BE(this.schemaId, 1);
    // Avro: the length of a short string as a zigzag number is one byte.
    return Buffer.concat([head, Buffer.of(text.length * 2), text]);
  }

  async append(
    topic: string,
    partition: number,
    key: string | null,
    value: Buffer | null,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<number> {
    const [position] = await this.log.sender().send([{ topic, partition, key, value, headers }]);
    return position?.offset ?? -1;
  }

  /** @returns its offset. */
  transformation(transformationId: string, change: Partial<TransformationConfig> = {}): Promise<number> {
    const config = { transformationId, tenantId: 'acme', version: 1, code: '', updatedAt: 0, ...change };
    const value = this.codec.platform.transformationConfig.encode(config);
    return this.append(topics.endpoints, 0, `${transformationPrefix}${transformationId}`, value);
  }

  /** @returns its offset. */
  replayRecord(replayId: string, state: ReplayState): Promise<number> {
    const value = { replayId, tenantId: 'acme', state, rateLimit: null, revision: 1, updatedAt: 0 };
    return this.append(topics.endpoints, 0, replayId, this.codec.platform.replayConfig.encode(value));
  }

  async deleteEndpoint(endpointId: string): Promise<void> {
    this.cursors.endpoints.delete(endpointId);
    await this.append(topics.endpoints, 0, endpointId, null);
  }

  /** From now on workers read at once, and have nothing outstanding. */
  workersTell(): void {
    this.#workersTell = true;
    const tell = (): void => {
      if (!this.#workersTell) return;
      for (let partition = 0; partition < deliveryPartitions; partition += 1) void this.tellPartition(partition);
      this.#callOff = this.time.schedule(1_000, tell);
    };
    this.#callOff();
    tell();
  }

  workersStop(): void {
    this.#workersTell = false;
  }

  partitionOf(endpointId: string): number {
    return partitionFor(endpointId, deliveryPartitions);
  }

  /** The owner of its partition has read all that is there, and tells how the endpoint stands. */
  async tellStatus(
    endpointId: string,
    status: Partial<EndpointStatus>,
    ofPartition: Partial<EndpointStatus> = {},
  ): Promise<void> {
    const partition = this.partitionOf(endpointId);
    const streams = [{ stream: 'live', outstanding: status.outstanding ?? 0 }];
    await this.#tell(partition, endpointId, { streams, ...status });
    await this.tellPartition(partition, ofPartition);
  }

  async tellPartition(partition: number, status: Partial<EndpointStatus> = {}): Promise<void> {
    const { end } = this.log.boundsOf({ topic: topics.deliveries, partition });
    await this.#tell(partition, `partition:${partition}`, { readTo: end, ...status });
  }

  async #tell(partition: number, key: string, status: Partial<EndpointStatus>): Promise<void> {
    const word = { key, partition, era: 0, generation: 1, at: this.time.now(), readTo: 0, outstanding: 0, streams: [] };
    const value = this.codec.platform.endpointStatus.encode({
      ...word,
      circuitOpenUntil: null,
      overflow: false,
      ...status,
    });
    await this.append(topics.endpointStatus, partition, key, value);
  }

  ends(): readonly EndOfSpace[] {
    return this.log
      .recordsOf(topics.deliveries)
      .filter(({ value }) => value !== null && this.codec.platform.isEndOfSpace(value))
      .map(({ value }) => this.codec.platform.endOfSpace.decode(value ?? Buffer.alloc(0)));
  }

  deliveries(): readonly (Delivery & { readonly at: LogRecord })[] {
    return this.log
      .recordsOf(topics.deliveries)
      .filter(({ value }) => value !== null && !this.codec.platform.isEndOfSpace(value))
      .map((at) => ({ ...this.codec.platform.delivery.decode(at.value ?? Buffer.alloc(0)), at }));
  }

  deliveryIds(): readonly string[] {
    return this.deliveries().map(deliveryIdOf);
  }

  rejected(): readonly LogRecord[] {
    return this.log.recordsOf(topics.eventsRejected);
  }

  /** Commit of a source partition, as a newcomer to the group would find it. */
  async committed(partition: number): Promise<{ readonly offset: number; readonly metadata: string } | null> {
    const found = Promise.withResolvers<{ readonly offset: number; readonly metadata: string } | null>();
    const probe = this.log.membership({
      groupId,
      topics: [topics.events],
      listener: {
        onGained: (gained) =>
          gained.filter((one) => one.partition === partition).forEach(({ committed }) => found.resolve(committed)),
        onLost: () => undefined,
        beforeJoin: () => Promise.resolve(),
        onFatal: found.reject,
      },
    });
    await probe.join();
    const commit = await found.promise;
    await probe.leave();
    return commit;
  }
}
