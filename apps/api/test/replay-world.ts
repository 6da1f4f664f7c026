import { inject } from 'vitest';
import { topicNames, type TopicNames } from '#libs/contracts';
import { connectKafka, type KafkaLog, type LogRecord, type OutgoingRecord, type RecordSender } from '#libs/kafka';
import { connectDatabase, Projection, type Database } from '#libs/persistence';
import { uniquePrefix } from '#libs/testing';
import { startApiOn, type TestApi } from './start-api.js';

interface GivenEvent {
  readonly id?: string;
  readonly tenant?: string;
  readonly type?: string;
  readonly subject?: string;
  readonly data?: object;
}

type Answer = Awaited<ReturnType<TestApi['call']>>;

/** An api over the real Kafka and PostgreSQL, with topics of its own, and what tests of replays do with their log. */
export class ReplayWorld {
  readonly names: TopicNames;
  readonly sender: RecordSender;
  #serial = 0;

  private constructor(
    readonly api: TestApi<KafkaLog>,
    readonly kafka: KafkaLog,
    readonly database: Database,
    /** Partitions of events. */
    private readonly partitions: number,
  ) {
    this.names = topicNames(api.config.topicPrefix);
    this.sender = kafka.sender();
  }

  static async start(name: string, layout: { events: number; deliveries: number }): Promise<ReplayWorld> {
    const kafka = connectKafka({ brokers: inject('kafkaBrokers').split(','), clientId: 'test' });
    const settings = {
      POSTHORN_EVENT_PARTITIONS: String(layout.events),
      POSTHORN_DELIVERY_PARTITIONS: String(layout.deliveries),
      POSTHORN_TOPIC_PREFIX: `${uniquePrefix()}${name}`,
    };
    const administration = kafka.administration();
    const api = await startApiOn(kafka, settings, (topics) => administration.ensure(topics));
    await administration.close();
    return new ReplayWorld(api, kafka, await connectDatabase(api.databaseUrl), layout.events);
  }

  async close(): Promise<void> {
    await this.database.close();
    await this.sender.close();
    await this.api.close();
  }

  /** Forgets replays, and what was projected. */
  async beginAnew(): Promise<void> {
    await new Projection(this.database).drop();
    await this.database.session.query(
      'TRUNCATE replays, replay_partitions, source_partitions, dead_letter_resolutions',
    );
  }

  async createTenants(...ids: string[]): Promise<void> {
    for (const id of ids) await this.api.call('POST', '/v1/tenants', { id, name: id });
  }

  /** @returns its id */
  async createEndpoint(tenantId: string, ...eventTypes: string[]): Promise<string> {
    const body = { tenantId, url: 'https://x.example/', eventTypes };
    return String((await this.api.call('POST', '/v1/endpoints', body)).body['id']);
  }

  anEvent(partition: number, given: GivenEvent = {}): OutgoingRecord {
    return {
      topic: this.names.events,
      partition,
      key: given.tenant ?? 'acme',
      value: Buffer.from(JSON.stringify(given.data ?? { text: 'x' })),
      headers: {
        'content-type': 'application/json',
        ce_specversion: '1.0',
        ce_id: given.id ?? `e-${(this.#serial += 1)}`,
        ce_source: '/notes',
        ce_type: given.type ?? 'note.added',
        ...(given.subject === undefined ? {} : { ce_subject: given.subject }),
      },
    };
  }

  /** This moment, and where the log of events ends: what is appended next is later than both. */
  async here(): Promise<{ readonly from: string; readonly begins: readonly number[] }> {
    // Append times are whole milliseconds, and the broker's clock is ours.
    await new Promise((resolve) => setTimeout(resolve, 5));
    const from = new Date().toISOString();
    const reader = this.kafka.reader();
    const all = Array.from({ length: this.partitions }, (_, partition) => ({ topic: this.names.events, partition }));
    const bounds = await reader.bounds(all);
    await reader.close();
    return { from, begins: bounds.map(({ end }) => end) };
  }

  async deleteBefore(topic: string, partition: number, offset: number): Promise<void> {
    const administration = this.kafka.administration();
    await administration.deleteRecordsBefore([{ topic, partition, offset }]);
    await administration.close();
  }

  /** Records of the endpoints topic with this key; all of them without one. */
  async configurations(key?: string): Promise<LogRecord[]> {
    const reader = this.kafka.reader();
    const at = { topic: this.names.endpoints, partition: 0 };
    const [bounds] = await reader.bounds([at]);
    const records: LogRecord[] = [];
    for await (const batch of reader.range(at, bounds?.start ?? 0, bounds?.end ?? 0)) records.push(...batch);
    await reader.close();
    return key === undefined ? records : records.filter((record) => record.key?.toString() === key);
  }

  /** For the tenant acme. */
  replay(body: object): Promise<Answer> {
    return this.api.call('POST', '/v1/replays', { tenantId: 'acme', ...body });
  }
}

/** Of a problem: where, and what. */
export const faults = (body: { readonly [name: string]: unknown }): unknown[] =>
  (body['errors'] as { pointer?: string; code: string }[]).map((one) => [one.pointer, one.code]);
