import {
  Inject,
  Module,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnModuleInit,
} from '@nestjs/common';
import type { Config } from '#libs/config';
import type { KafkaLog } from '#libs/kafka';
import { Metrics, Readiness, type Logger } from '#libs/observability';
import { Cursors, ReplayParts, type Database } from '#libs/persistence';
import { CONFIG, DATABASE, DatabaseModule, KAFKA_LOG, LOGGER, SCHEMA_CODEC, TOPICS, type Topics } from '#libs/platform';
import type { SchemaCodec } from '#libs/schema-codec';
import { Dispatcher } from './dispatcher.js';
import type { Surroundings } from './surroundings.js';

@Module({
  imports: [DatabaseModule],
  providers: [
    {
      provide: Dispatcher,
      inject: [CONFIG, KAFKA_LOG, DATABASE, SCHEMA_CODEC, TOPICS, Metrics, LOGGER],
      useFactory: (
        config: Config,
        log: KafkaLog,
        database: Database,
        codec: SchemaCodec,
        topics: Topics,
        metrics: Metrics,
        logger: Logger,
      ): Dispatcher =>
        new Dispatcher(
          log,
          { events: codec.events, config: codec.platform, platform: codec.platform },
          { cursors: new Cursors(database), replays: new ReplayParts(database) },
          {
            topics: topics.names,
            groupId: topics.groups.dispatcher,
            deliveryPartitions: topics.deliveryPartitions,
            maxEventBytes: config.maxEventBytes,
            repeatWindow: config.repeatWindow,
          },
          metrics,
          surroundings(logger),
        ),
    },
  ],
})
export class DispatcherModule implements OnModuleInit, OnApplicationBootstrap, BeforeApplicationShutdown {
  constructor(
    @Inject(Dispatcher) private readonly dispatcher: Dispatcher,
    @Inject(Readiness) private readonly readiness: Readiness,
  ) {}

  onModuleInit(): void {
    this.readiness.add({ name: 'dispatcher', check: () => this.dispatcher.check() });
  }

  /** Not awaited: health must be answered while brokers are away. A failure ends the process (exitOnBug). */
  onApplicationBootstrap(): void {
    void this.dispatcher.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.dispatcher.stop();
  }
}

function surroundings(logger: Logger): Surroundings {
  return {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    schedule(ms, task) {
      const timer = setTimeout(task, ms);
      return () => clearTimeout(timer);
    },
    die(error) {
      queueMicrotask(() => {
        throw error;
      });
    },
    log: logger,
  };
}
