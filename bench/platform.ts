import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { AppProcesses, type AppName } from '#libs/app-processes';
import { topicNames, type TopicNames } from '#libs/contracts';
import { connectKafka, type KafkaLog, type LogReader, type OutgoingRecord, type RecordSender } from '#libs/kafka';
import { connectSchemaCodec } from '#libs/schema-codec';
import { eventOf, recordMaker, type JsonEvent } from './load.js';
import { residentMemory, usageMeter, type ProcessUsage } from './process-usage.js';
import { createDatabase, type Services } from './services.js';

export interface PlatformSize {
  /** Of events, and of deliveries. */
  readonly partitions: number;
  /** How long the group waits for a member that was killed. */
  readonly sessionTimeoutMs: number;
}

/** As in production, but for the copies of each partition: there is one broker. */
const fullSize: PlatformSize = { partitions: 12, sessionTimeoutMs: 10_000 };

/** What a scenario asks of an endpoint beside its defaults, as the REST API takes it. */
export type EndpointSettings = Readonly<Record<string, unknown>>;

let count = 0;

/** The four apps, a process each, with topics and a database of their own; and a sender as upstream would have. */
export class Platform {
  private constructor(
    readonly services: Services,
    readonly size: PlatformSize,
    readonly sender: RecordSender,
    readonly recordOf: (event: JsonEvent) => OutgoingRecord,
    readonly topics: TopicNames,
    private readonly reader: LogReader,
    readonly apps: AppProcesses,
    readonly databaseUrl: string,
  ) {
    services.users.add(this.#end);
  }

  static async start(services: Services, size = fullSize): Promise<Platform> {
    count += 1;
    const { runtime, folder } = services;
    const { partitions } = size;
    const name = `${services.name}_${count}`;
    const logDir = join(folder, name);
    mkdirSync(logDir);
    const databaseUrl = await createDatabase(runtime.databaseUrl, name);
    const { kafkaBrokers, schemaRegistryUrl } = runtime;
    const apps = await AppProcesses.start({
      services: { kafkaBrokers, schemaRegistryUrl, databaseUrl },
      topicPrefix: name,
      logDir,
      settings: {
        POSTHORN_EVENT_PARTITIONS: String(partitions),
        POSTHORN_DELIVERY_PARTITIONS: String(partitions),
        POSTHORN_SESSION_TIMEOUT_MS: String(size.sessionTimeoutMs),
        POSTHORN_LOG_LEVEL: 'warn',
      },
    });
    try {
      const codec = await connectSchemaCodec({ registryUrl: schemaRegistryUrl });
      const kafka: KafkaLog = connectKafka({ brokers: kafkaBrokers.split(','), clientId: 'bench' });
      const recordOf = await recordMaker(codec, topicNames(name).events, partitions);
      return new Platform(
        services,
        size,
        kafka.sender({ name: 'upstream' }),
        recordOf,
        topicNames(name),
        kafka.reader(),
        apps,
        databaseUrl,
      );
    } catch (error) {
      await apps.stop();
      throw error;
    }
  }

  get api(): { readonly url: string; readonly key: string } {
    return { url: this.apps.apiUrl, key: this.apps.operatorKey };
  }

  get masterKeys(): string {
    return this.apps.masterKeys;
  }

  async createTenant(id: string): Promise<void> {
    await this.#create('/v1/tenants', { id, name: id });
  }

  /** @returns its id */
  async createEndpoint(tenantId: string, path: string, more: EndpointSettings = {}): Promise<string> {
    const url = this.services.receiver.url + path;
    return this.#create('/v1/endpoints', { tenantId, url, eventTypes: ['comment.*'], ...more });
  }

  /** Calls the REST API; rejects unless the answer is a 2xx. */
  async call<T>(method: string, path: string, body?: object): Promise<T> {
    const answer = await this.apps.request<T>(method, path, body);
    if (answer.status >= 300)
      throw new Error(`${method} ${path} was answered ${answer.status}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  /** kill -9. */
  async killWorker(): Promise<void> {
    await this.apps.kill(this.apps.of('worker'));
  }

  /** Resolves when it is ready. */
  async launchWorker(): Promise<void> {
    await this.apps.launch('worker');
  }

  /** SIGSTOP, and SIGCONT after `work`: what an app is to begin with at one time has come by then. A few seconds at most. */
  async whileStopped(app: AppName, work: () => Promise<void>): Promise<void> {
    const { child } = this.apps.of(app);
    child.kill('SIGSTOP');
    try {
      await work();
    } finally {
      child.kill('SIGCONT');
    }
  }

  /** Of the process of an app, now; 0 where it cannot be told. */
  residentMb(app: AppName): number {
    return residentMemory(this.apps.of(app).child.pid ?? 0);
  }

  /** Of one of an app's metrics, the sum over its labels; 0 before it has counted anything. */
  async counted(app: AppName, counter: string): Promise<number> {
    const answer = await fetch(`${this.apps.of(app).url}/metrics`);
    const lines = (await answer.text()).split('\n').filter((line) => line.startsWith(counter));
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  }

  /** Resolves when `counted` is this. */
  async untilCounted(app: AppName, counter: string, target: number, timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const reached = await this.counted(app, counter);
      if (reached >= target) return;
      if (performance.now() > deadline) throw new Error(`${counter} of the ${app} is ${reached}, not ${target}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** Resolves when dispatchers have committed all of the log. */
  async untilDispatched(timeoutMs = 600_000): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    const name = `posthorn_lag_records{topic="${this.topics.events}"`;
    // A lag that was not measured since the last append would count as none.
    await new Promise((resolve) => setTimeout(resolve, 500));
    while ((await this.counted('dispatcher', name)) > 0) {
      if (performance.now() > deadline) throw new Error('the dispatcher has not read the log in time');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** Resolves when the projector has committed all that workers have told. */
  async untilProjected(timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const [told, projected] = [
        (await this.recordsOf(this.topics.attempts)) + (await this.recordsOf(this.topics.deadLetters)),
        await this.counted('projector', 'posthorn_records_projected_total'),
      ];
      if (projected >= told) return;
      if (performance.now() > deadline) throw new Error(`the projector has ${projected} of ${told} records`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** How many records a topic holds that nothing was deleted from. */
  async recordsOf(topic: string): Promise<number> {
    const all = Array.from({ length: this.size.partitions }, (_, partition) => ({ topic, partition }));
    const bounds = await this.reader.bounds(all);
    return bounds.reduce((sum, { start, end }) => sum + end - start, 0);
  }

  /** Sends one event to each tenant again and again until every endpoint is known everywhere and has had one. */
  async untilDelivered(tenants: readonly string[], endpoints: number): Promise<void> {
    for (let round = 0; round < 20; round += 1) {
      const tag = `probe-${round}`;
      const { complete } = await this.services.receiver.begin(tag, endpoints, 2_000);
      await this.sender.send(tenants.map((tenant) => this.recordOf(eventOf(tag, tenant, 0))));
      if (await complete) return;
    }
    throw new Error('the endpoints do not receive anything');
  }

  /** From now on. */
  usage(): () => Record<string, ProcessUsage> {
    const apps = Array.from(this.apps.running, ({ name, child }): [string, number] => [name, child.pid ?? 0]);
    const { receiver, pids } = this.services;
    return usageMeter({ ...Object.fromEntries(apps), receiver: receiver.pid, ...pids, upstream: process.pid });
  }

  async stop(): Promise<void> {
    this.services.users.delete(this.#end);
    await this.#end();
  }

  readonly #end = async (): Promise<void> => {
    await Promise.all([this.sender.close(), this.reader.close(), this.apps.stop()]);
  };

  async #create(path: string, body: object): Promise<string> {
    return (await this.call<{ id: string }>('POST', path, body)).id;
  }
}
