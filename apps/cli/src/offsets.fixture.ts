import { topicNames, type Attempt, type Delivery } from '#libs/contracts';
import { InMemoryLog, type Committed } from '#libs/kafka';
import type { CursorRecord } from '#libs/persistence';
import { InMemoryRegistry, openSchemaCodec, platformSchemas, type SchemaCodec } from '#libs/schema-codec';
import { aDelivery as aFirstCopy, anAttempt } from '#libs/testing';
import { applyOffsetsIn } from './apply-offsets.js';
import { createTopicsIn } from './create-topics.js';
import type { CursorMoves } from './cursor-moves.js';
import type { GroupName, OffsetsPlan } from './offsets-plan.js';

export const config = {
  topicPrefix: 'p',
  eventPartitions: 2,
  deliveryPartitions: 1,
  replicationFactor: 1,
  minInSyncReplicas: 1,
};
export const topics = topicNames('p');
const startsAt = 1_800_000_000_000;

export async function openCodec(): Promise<SchemaCodec> {
  const registry = new InMemoryRegistry();
  for (const [subject, schema] of Object.entries(platformSchemas)) registry.register(subject, schema);
  return openSchemaCodec(registry);
}

/** The double of `CursorRelocation`: what is in force. */
export class CursorTable implements CursorMoves {
  constructor(public rows: readonly CursorRecord[] = []) {}

  async relocate(...[partitions, decide, commit]: Parameters<CursorMoves['relocate']>): Promise<void> {
    const places = decide(this.rows.filter(({ partition }) => partitions.includes(partition)));
    await commit();
    this.rows = this.rows.map((row) => {
      const place = places.find((one) => one.endpointId === row.endpointId && one.partition === row.partition);
      return place === undefined ? row : { ...row, ...place, startedAt: place.position };
    });
  }
}

export const aCursor = (changes: Partial<CursorRecord>): CursorRecord => ({
  endpointId: 'ep_1',
  run: 'f_old',
  kind: 'freeze',
  incarnation: 3,
  position: 0,
  ended: false,
  partition: 0,
  reason: 'paused',
  startedAt: 0,
  createdAt: startsAt,
  ...changes,
});

/** A cluster with our topics, empty but for the configuration of `ep_1`; its clock stands still. */
export class Cluster {
  readonly log: InMemoryLog;
  readonly cursors = new CursorTable();
  /** Append time, Unix ms. */
  time = startsAt;

  private constructor(readonly codec: SchemaCodec) {
    const brokerSettings = { 'offsets.retention.minutes': '129600' };
    this.log = new InMemoryLog({ now: () => this.time, brokerSettings });
  }

  static async create(codec: SchemaCodec): Promise<Cluster> {
    const cluster = new Cluster(codec);
    await createTopicsIn(cluster.log, config, () => undefined);
    cluster.append(topics.endpoints, Buffer.from('{}'));
    return cluster;
  }

  append(topic: string, value: Buffer | null, key: string | null = 'ep_1', partition = 0): number {
    return this.log.write([{ topic, partition, key, value }])[0]?.offset ?? -1;
  }

  appendDelivery(topic: string, delivery: Partial<Delivery>): number {
    return this.append(topic, this.codec.platform.delivery.encode(aDelivery(delivery)), delivery.endpointId);
  }

  appendAttempt(attempt: Partial<Attempt>): number {
    return this.append(topics.attempts, this.codec.platform.attempt.encode(anAttempt({ ...refused, ...attempt })));
  }

  appendEvents(partition: number, times: readonly number[]): void {
    for (const at of times) {
      this.time = at;
      this.append(topics.events, Buffer.from(`${at}`), 'acme', partition);
    }
  }

  async trim(topic: string, offset: number): Promise<void> {
    await this.log.administration().deleteRecordsBefore([{ topic, partition: 0, offset }]);
  }

  commitOf(group: GroupName, topic: string): Committed {
    return this.log.commitsOf(`p.${group}`).get(`${topic}-0`) ?? { offset: -1, metadata: '' };
  }

  /** @returns what was said */
  async apply(plan: OffsetsPlan, dropUnknown = false): Promise<string[]> {
    const lines: string[] = [];
    const ports = { kafka: this.log, codecs: this.codec.platform, cursors: this.cursors };
    await applyOffsetsIn(ports, config, plan, { dropUnknown }, (line) => lines.push(line));
    return lines;
  }
}

export const planOf = (group: GroupName, partitions: OffsetsPlan['partitions']): OffsetsPlan => {
  return { kind: 'plan', topicPrefix: 'p', group, marginSeconds: 0, partitions };
};
export const workerPlan = (offset: number, mark: { readonly above?: number } = {}): OffsetsPlan =>
  planOf('worker', [{ topic: topics.deliveries, partition: 0, at: null, offset, start: 0, end: 0, ...mark }]);

const refused = { response: null, outcome: 'retry', final: false } as const;

/** A first copy whose configuration is among the mirrored ones, in order of its key. */
export const aDelivery = (changes: Partial<Delivery>): Delivery =>
  aFirstCopy({ configVersion: 900, ordering: 'key', ...changes });
