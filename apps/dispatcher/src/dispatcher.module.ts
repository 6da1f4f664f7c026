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
import { connectDatabase, Cursors, promptAnswers, ReplayParts, type Database } from '#libs/persistence';
import { CONFIG, KAFKA_LOG, LOGGER, SCHEMA_CODEC, TOPICS, type Topics } from '#libs/platform';
import type { SchemaCodec } from '#libs/schema-codec';
import { Dispatcher } from './dispatcher.js';
import type { Surroundings } from './surroundings.js';

/** Connections of its own: what holds a source partition up must have an answer soon, or none. */
const CURSOR_DATABASE = Symbol('CursorDatabase');

@Module({
  providers: [
    {
      provide: CURSOR_DATABASE,
      inject: [CONFIG],
      useFactory: (config: Config): Promise<Database> => connectDatabase(config.databaseUrl, promptAnswers),
    },
    {
      provide: Dispatcher,
      inject: [CONFIG, KAFKA_LOG, CURSOR_DATABASE, SCHEMA_CODEC, TOPICS, Metrics, LOGGER],
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
            laneRecords: config.laneRecords,
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
    @Inject(CURSOR_DATABASE) private readonly database: Database,
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
    await this.database.close();
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
