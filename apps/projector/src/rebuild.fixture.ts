import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { inject } from 'vitest';
import { childEnvironment, projectRoot } from '#libs/config';
import { groupNames, topicNames, topicSpecs, type Attempt, type DeadLetter } from '#libs/contracts';
import { connectKafka, type KafkaLog, type RecordSender, type TopicAdministration } from '#libs/kafka';
import { connectDatabase, migrate, Projection, type Database } from '#libs/persistence';
import { applySchemas, connectSchemaCodec, type SchemaCodec } from '#libs/schema-codec';
import { createTestDatabase, uniquePrefix, type TestDatabase } from '#libs/testing';
import { ProjectConsumer } from './project.consumer.js';

const deliveryPartitions = 3;

/** A log and a database of their own, on the real services; projectors run in this process, rebuilds in theirs. */
export class RebuildWorld {
  readonly prefix = uniquePrefix().slice(0, -1);
  readonly topics = topicNames(this.prefix);
  readonly #consumers = new Set<ProjectConsumer>();
  #groups = 0;

  private constructor(
    readonly test: TestDatabase,
    readonly database: Database,
    readonly kafka: KafkaLog,
    readonly codec: SchemaCodec,
    readonly administration: TopicAdministration,
    readonly sender: RecordSender,
  ) {}

  static async start(): Promise<RebuildWorld> {
    const registryUrl = inject('schemaRegistryUrl');
    await applySchemas({ registryUrl, eventsFolder: join(projectRoot(), 'schemas/events') });
    const test = await createTestDatabase();
    await migrate(test.url);
    const brokers = inject('kafkaBrokers').split(',');
    const kafka = connectKafka({ brokers, clientId: 'rebuild-test', sessionTimeoutMs: 6_000 });
    const world = new RebuildWorld(
      test,
      await connectDatabase(test.url),
      kafka,
      await connectSchemaCodec({ registryUrl }),
      kafka.administration(),
      kafka.sender(),
    );
    await world.createTopics(world.prefix);
    return world;
  }

  async createTopics(prefix: string): Promise<void> {
    const one = { replicationFactor: 1, minInSyncReplicas: 1, maxMessageBytes: 1_048_588 };
    await this.administration.ensure(topicSpecs({ prefix, eventPartitions: 1, deliveryPartitions, ...one }));
  }

  /** By endpoint, as workers do. Each endpoint `ep_<n>` has the partition n. */
  async append(records: readonly (Attempt | DeadLetter)[], topics = this.topics): Promise<void> {
    await this.sender.send(
      records.map((record) => {
        const isAttempt = 'endpointId' in record;
        const key = isAttempt ? record.endpointId : record.delivery.endpointId;
        const value = isAttempt
          ? this.codec.platform.attempt.encode(record)
          : this.codec.platform.deadLetter.encode(record);
        const partition = Number(key.slice(3)) % deliveryPartitions;
        return { topic: isAttempt ? topics.attempts : topics.deadLetters, partition, key, value };
      }),
    );
  }

  /** A projector; without another database, one more of this platform's. */
  project(
    database = this.database,
    groupId = groupNames(this.prefix).projector,
    topics = this.topics,
  ): ProjectConsumer {
    const consumer = new ProjectConsumer({
      topics,
      feed: this.kafka.feed(),
      membership: (listener) =>
        this.kafka.membership({ groupId, topics: [topics.attempts, topics.deadLetters], listener }),
      store: new Projection(database),
      codecs: this.codec.platform,
      metrics: {
        projected: () => undefined,
        lag: () => undefined,
        partitionLost: () => undefined,
        partitionStopped: () => undefined,
      },
      logger: { debug: () => undefined, info: () => undefined, error: () => undefined },
      schedule(ms, task) {
        const timer = setTimeout(task, ms);
        return () => clearTimeout(timer);
      },
      onFatal(error) {
        throw error;
      },
    });
    this.#consumers.add(consumer);
    consumer.start();
    return consumer;
  }

  async stopped(consumer: ProjectConsumer): Promise<void> {
    this.#consumers.delete(consumer);
    await consumer.stop();
  }

  /** Where the logs of the projected topics end. */
  async endsOf(topics = this.topics): Promise<readonly { topic: string; partition: number; offset: number }[]> {
    const reader = this.kafka.reader();
    const partitions = [topics.attempts, topics.deadLetters].flatMap((topic) =>
      Array.from({ length: deliveryPartitions }, (_, partition) => ({ topic, partition })),
    );
    const bounds = await reader.bounds(partitions);
    await reader.close();
    return partitions.map((one, i) => ({ ...one, offset: bounds[i]?.end ?? 0 }));
  }

  /** Resolves when all that stands in the log is projected. */
  async projected(database = this.database, topics = this.topics): Promise<void> {
    const partitions = await this.endsOf(topics);
    const ends = partitions.map(({ offset }) => offset);
    const deadline = performance.now() + 30_000;
    for (;;) {
      const rows: { topic: string; partition: number; position: string }[] = await database.session.query(
        'SELECT * FROM projection_positions',
      );
      const positions = partitions.map(({ topic, partition }) =>
        Number(rows.find((row) => row.topic === topic && row.partition === partition)?.position ?? -1),
      );
      if (positions.join() === ends.join()) return;
      if (performance.now() > deadline) throw new Error(`projected up to ${positions.join()} of ${ends.join()}`);
      await pause(20);
    }
  }

  /** The rows that a projection of its own makes of this log, from its start. */
  async projectedAnew(topics = this.topics): Promise<string[]> {
    const other = await createTestDatabase();
    await migrate(other.url);
    const database = await connectDatabase(other.url);
    this.#groups += 1;
    const consumer = this.project(database, `${this.prefix}.again-${this.#groups}`, topics);
    try {
      await this.projected(database, topics);
      return await rowsOf(database);
    } finally {
      await this.stopped(consumer);
      await database.close();
      await other.drop();
    }
  }

  /** `projector rebuild`, as the operator's command starts it. */
  rebuild(...args: readonly string[]): Rebuild {
    return this.rebuildOf(this.prefix, ...args);
  }

  /** The same for another log. */
  rebuildOf(prefix: string, ...args: readonly string[]): Rebuild {
    return new Rebuild(args, {
      KAFKA_BROKERS: inject('kafkaBrokers'),
      SCHEMA_REGISTRY_URL: inject('schemaRegistryUrl'),
      DATABASE_URL: this.test.url,
      POSTHORN_TOPIC_PREFIX: prefix,
    });
  }

  async stop(): Promise<void> {
    for (const consumer of this.#consumers) await consumer.stop();
    await this.sender.close();
    await this.administration.close();
    await this.database.close();
    await this.test.drop();
  }
}

export class Rebuild {
  readonly child: ChildProcess;
  output = '';
  /** Exit code; null when it was killed. */
  readonly ended: Promise<number | null>;

  constructor(args: readonly string[], env: Readonly<Record<string, string>>) {
    const main = ['--conditions=source', '--import', 'tsx', 'apps/projector/main.ts', 'rebuild', ...args];
    this.child = spawn(process.execPath, main, { cwd: projectRoot(), env: childEnvironment(env) });
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    this.ended = once(this.child, 'close').then(([code]) => code as number | null);
  }

  async succeeded(): Promise<string> {
    const code = await this.ended;
    if (code !== 0) throw new Error(`the rebuild ended with ${code}:\n${this.output}`);
    return this.output;
  }
}

/** Every row of the projection, as text. */
export async function rowsOf(database: Database): Promise<string[]> {
  const rows: { row: string }[] = await database.session.query(`
    SELECT 'delivery ' || d::text AS row FROM deliveries AS d UNION ALL SELECT 'attempt ' || a::text FROM attempts AS a
    UNION ALL SELECT 'dead letter ' || l::text FROM dead_letters AS l
    UNION ALL SELECT 'stats ' || s::text FROM delivery_stats AS s
    UNION ALL SELECT 'position ' || p.partition || ' ' || p.position FROM projection_positions AS p ORDER BY 1`);
  return rows.map(({ row }) => row);
}

/** All that the tables are besides their rows, with the names that migrations know. */
export async function shapeOf(database: Database): Promise<string[]> {
  const rows: { line: string }[] = await database.session.query(`
    SELECT indexname || ' ' || indexdef AS line FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT c.relname || ' ' || n.conname || ' ' || pg_get_constraintdef(n.oid)
      FROM pg_constraint n JOIN pg_class c ON c.oid = n.conrelid WHERE c.relnamespace = 'public'::regnamespace
    UNION ALL SELECT c.relname || ' ' || c.relacl::text FROM pg_class c
      WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relacl IS NOT NULL
    UNION ALL SELECT p::text FROM pg_policies p WHERE p.schemaname = 'public'
    UNION ALL SELECT relname || ' confined ' || relrowsecurity FROM pg_class
      WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
    UNION ALL SELECT table_name || ' ' || ordinal_position || ' ' || column_name || ' ' || data_type || ' ' || is_nullable
      FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1`);
  return rows.map(({ line }) => line);
}
