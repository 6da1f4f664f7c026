import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { AppProcesses } from '#libs/app-processes';
import { topicNames } from '#libs/contracts';
import { connectKafka, type KafkaLog, type OutgoingRecord, type RecordSender } from '#libs/kafka';
import { connectSchemaCodec } from '#libs/schema-codec';
import { eventOf, recordMaker, type JsonEvent } from './load.js';
import { usageMeter, type ProcessUsage } from './process-usage.js';
import { createDatabase, type Services } from './services.js';

/** As in production, but for the copies of each partition: there is one broker. */
const partitions = 12;
const settings = {
  POSTHORN_EVENT_PARTITIONS: String(partitions),
  POSTHORN_DELIVERY_PARTITIONS: String(partitions),
  POSTHORN_LOG_LEVEL: 'warn',
};

let count = 0;

/** The four apps, a process each, with topics and a database of their own; and a sender as upstream would have. */
export class Platform {
  private constructor(
    readonly services: Services,
    readonly sender: RecordSender,
    readonly recordOf: (event: JsonEvent) => OutgoingRecord,
    private readonly apps: AppProcesses,
  ) {
    services.users.add(this.#end);
  }

  static async start(services: Services): Promise<Platform> {
    count += 1;
    const name = `bench_${count}`;
    const { runtime, folder } = services;
    const logDir = join(folder, name);
    mkdirSync(logDir);
    const databaseUrl = await createDatabase(runtime.databaseUrl, name);
    const { kafkaBrokers, schemaRegistryUrl } = runtime;
    const apps = await AppProcesses.start({
      services: { kafkaBrokers, schemaRegistryUrl, databaseUrl },
      topicPrefix: name,
      logDir,
      settings,
    });
    try {
      const codec = await connectSchemaCodec({ registryUrl: schemaRegistryUrl });
      const kafka: KafkaLog = connectKafka({ brokers: kafkaBrokers.split(','), clientId: 'bench' });
      const recordOf = await recordMaker(codec, topicNames(name).events, partitions);
      return new Platform(services, kafka.sender({ name: 'upstream' }), recordOf, apps);
    } catch (error) {
      await apps.stop();
      throw error;
    }
  }

  get api(): { readonly url: string; readonly key: string } {
    return { url: this.apps.apiUrl, key: this.apps.operatorKey };
  }

  async createTenant(id: string): Promise<void> {
    await this.#create('/v1/tenants', { id, name: id });
  }

  async createEndpoint(tenantId: string, path: string): Promise<void> {
    const url = this.services.receiver.url + path;
    await this.#create('/v1/endpoints', { tenantId, url, eventTypes: ['comment.*'] });
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
    await Promise.all([this.sender.close(), this.apps.stop()]);
  };

  async #create(path: string, body: object): Promise<void> {
    const answer = await this.apps.request('POST', path, body);
    if (answer.status !== 201)
      throw new Error(`POST ${path} was answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  }
}
