import { Inject, Module, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import type { Config } from '#libs/config';
import type { KafkaLog } from '#libs/kafka';
import { Metrics, Readiness, type Logger } from '#libs/observability';
import { type Database, DeliveryStats, LogParts, Projection } from '#libs/persistence';
import { CONFIG, DATABASE, DatabaseModule, KAFKA_LOG, LOGGER, SCHEMA_CODEC, TOPICS, type Topics } from '#libs/platform';
import type { SchemaCodec } from '#libs/schema-codec';
import { ProjectConsumer } from './project.consumer.js';
import { Retention } from './retain.js';

/** Keeps the delivery log in Postgres up with the log in Kafka. */
@Module({
  imports: [DatabaseModule],
  providers: [
    {
      provide: ProjectConsumer,
      inject: [KAFKA_LOG, DATABASE, SCHEMA_CODEC, TOPICS, Metrics, Readiness, LOGGER],
      useFactory: projectConsumer,
    },
    { provide: Retention, inject: [DATABASE, CONFIG, Metrics, LOGGER], useFactory: retention },
  ],
})
export class ProjectorModule implements OnApplicationBootstrap, BeforeApplicationShutdown {
  constructor(
    @Inject(ProjectConsumer) private readonly consumer: ProjectConsumer,
    @Inject(Retention) private readonly retention: Retention,
  ) {}

  onApplicationBootstrap(): void {
    this.consumer.start();
    this.retention.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await Promise.all([this.consumer.stop(), this.retention.stop()]);
  }
}

const schedule = (ms: number, task: () => void): (() => void) => {
  const timer = setTimeout(task, ms);
  return () => clearTimeout(timer);
};

function retention(
  database: Database,
  { deliveryLogDays, statsDays }: Config,
  metrics: Metrics,
  logger: Logger,
): Retention {
  const parts = new LogParts(database);
  return new Retention(
    { log: deliveryLogDays, stats: statsDays },
    {
      parts,
      stats: new DeliveryStats(database),
      metrics,
      logger: logger.child({ stage: 'retain' }),
      now: Date.now,
      schedule,
    },
  );
}

function projectConsumer(
  kafka: KafkaLog,
  database: Database,
  codec: SchemaCodec,
  { names, groups }: Topics,
  metrics: Metrics,
  readiness: Readiness,
  logger: Logger,
): ProjectConsumer {
  const { attempts, deadLetters } = names;
  const consumer = new ProjectConsumer({
    topics: { attempts, deadLetters },
    feed: kafka.feed(),
    membership: (listener) =>
      kafka.membership({ groupId: groups.projector, topics: [attempts, deadLetters], listener }),
    store: new Projection(database),
    codecs: codec.platform,
    metrics,
    logger: logger.child({ stage: 'project' }),
    schedule,
    // A bug, or a membership that is over: outside of any promise, so that the process ends (`exitOnBug`).
    onFatal: (error) =>
      queueMicrotask(() => {
        throw error;
      }),
  });
  readiness.add({ name: 'projector', check: () => consumer.checkReady() });
  return consumer;
}
