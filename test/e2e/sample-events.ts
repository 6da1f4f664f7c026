import { SchemaRegistry } from '@kafkajs/confluent-schema-registry';
import { Kafka, logLevel, type Message, type Producer } from 'kafkajs';

const person = { id: 'u-1', name: 'Ada Okafor', email: null };

/** Data that fits `comment.added`, as JSON. */
export const comment = (n: number): Record<string, unknown> => ({
  commentId: `c-${n}`,
  taskId: `t-${n % 7}`,
  projectId: 'p-1',
  author: person,
  text: `Comment no. ${n}: naïve façade 😀`,
  mentions: [],
  attachments: {},
  addedAt: new Date(1_760_000_000_000 + n).toISOString(),
});

/** Data that fits `task.completed`, as JSON. */
export const completion = (n: number): Record<string, unknown> => ({
  taskId: `t-${n}`,
  projectId: 'p-1',
  title: `Task ${n}`,
  completedBy: person,
  minutesSpent: n,
  completedAt: new Date(1_760_000_000_000 + n).toISOString(),
});

export interface CloudEvent {
  readonly id: string;
  readonly type: string;
  readonly source: string;
  readonly subject?: string;
  /** Chooses the source partition; without it, all events of a tenant lie in one. */
  readonly partitionkey?: string;
  readonly data: unknown;
}

/** `count` events of two types, ids unique to `run`. */
export const sampleEvents = (run: string, count: number, from = 0): readonly CloudEvent[] =>
  Array.from({ length: count }, (_, i) => {
    const n = from + i;
    const type = n % 3 === 0 ? 'task.completed' : 'comment.added';
    return {
      id: `${run}-${n}`,
      type,
      source: '/e2e',
      subject: `t-${n % 7}`,
      data: type === 'task.completed' ? completion(n) : comment(n),
    };
  });

/** Structured JSON, as REST takes it and as the log may hold it. */
export const structured = (event: CloudEvent, tenantId: string): Record<string, unknown> => ({
  specversion: '1.0',
  ...event,
  tenantid: tenantId,
  time: '2026-01-02T03:04:05.678Z',
  datacontenttype: 'application/json',
});

const attributes = (event: CloudEvent, contentType: string): Record<string, string> => ({
  'content-type': contentType,
  ce_specversion: '1.0',
  ce_id: event.id,
  ce_source: event.source,
  ce_type: event.type,
  ce_time: '2026-01-02T03:04:05.678Z',
  ...(event.subject === undefined ? {} : { ce_subject: event.subject }),
  ...(event.partitionkey === undefined ? {} : { ce_partitionkey: event.partitionkey }),
});

/** What an upstream service writes, with nothing but stock packages. */
export class UpstreamService {
  private constructor(
    private readonly producer: Producer,
    private readonly registry: SchemaRegistry,
    private readonly topic: string,
    private readonly tenantId: string,
  ) {}

  static async connect(at: {
    brokers: string;
    registryUrl: string;
    topic: string;
    tenantId: string;
  }): Promise<UpstreamService> {
    const kafka = new Kafka({ brokers: at.brokers.split(','), logLevel: logLevel.NOTHING });
    const producer = kafka.producer({ idempotent: true });
    await producer.connect();
    return new UpstreamService(producer, new SchemaRegistry({ host: at.registryUrl }), at.topic, at.tenantId);
  }

  binaryJson(event: CloudEvent): Message {
    const tenant: Record<string, string> = event.partitionkey === undefined ? {} : { ce_tenantid: this.tenantId };
    return {
      key: event.partitionkey ?? this.tenantId,
      headers: { ...attributes(event, 'application/json'), ...tenant },
      value: JSON.stringify(event.data),
    };
  }

  structuredJson(event: CloudEvent): Message {
    return {
      key: this.tenantId,
      headers: { 'content-type': 'application/cloudevents+json; charset=UTF-8' },
      value: JSON.stringify(structured(event, this.tenantId)),
    };
  }

  /** Avro in the Confluent frame. Times are milliseconds in Avro. */
  async binaryAvro(event: CloudEvent): Promise<Message> {
    const id = await this.registry.getLatestSchemaId(event.type);
    const data = Object.fromEntries(
      Object.entries(event.data as Record<string, unknown>).map(([k, v]) => [
        k,
        k.endsWith('At') ? Date.parse(String(v)) : v,
      ]),
    );
    return {
      key: this.tenantId,
      headers: attributes(event, 'application/avro'),
      value: await this.registry.encode(id, data),
    };
  }

  /** The same by an earlier version of its type. */
  async avroOfVersion(event: CloudEvent, version: number): Promise<Message> {
    const id = await this.registry.getRegistryId(event.type, version);
    const data = { ...(event.data as Record<string, unknown>), updatedAt: 1_767_323_045_678 };
    return {
      key: this.tenantId,
      headers: attributes(event, 'application/avro'),
      value: await this.registry.encode(id, data),
    };
  }

  async send(messages: readonly Message[]): Promise<void> {
    await this.producer.send({ topic: this.topic, acks: -1, messages: [...messages] });
  }

  async close(): Promise<void> {
    await this.producer.disconnect();
  }
}
