import { Inject, Module, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import type { KafkaLog } from '#libs/kafka';
import { Metrics, Readiness, type Logger } from '#libs/observability';
import { Projection, type Database } from '#libs/persistence';
import { DATABASE, DatabaseModule, KAFKA_LOG, LOGGER, SCHEMA_CODEC, TOPICS, type Topics } from '#libs/platform';
import type { SchemaCodec } from '#libs/schema-codec';
import { ProjectConsumer } from './project.consumer.js';

/** Keeps the delivery log in Postgres up with the log in Kafka. */
@Module({
  imports: [DatabaseModule],
  providers: [
    {
      provide: ProjectConsumer,
      inject: [KAFKA_LOG, DATABASE, SCHEMA_CODEC, TOPICS, Metrics, Readiness, LOGGER],
      useFactory: projectConsumer,
    },
  ],
})
export class ProjectorModule implements OnApplicationBootstrap, BeforeApplicationShutdown {
  constructor(@Inject(ProjectConsumer) private readonly consumer: ProjectConsumer) {}

  onApplicationBootstrap(): void {
    this.consumer.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.consumer.stop();
  }
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
    schedule(ms, task) {
      const timer = setTimeout(task, ms);
      return () => clearTimeout(timer);
    },
    // A bug, or a membership that is over: outside of any promise, so that the process ends (`exitOnBug`).
    onFatal: (error) =>
      queueMicrotask(() => {
        throw error;
      }),
  });
  readiness.add({ name: 'projector', check: () => consumer.checkReady() });
  return consumer;
}
