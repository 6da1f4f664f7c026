import {
  Inject,
  Module,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnModuleInit,
} from '@nestjs/common';
import type { Config } from '#libs/config';
import { filterOf } from '#libs/filters';
import type { KafkaLog } from '#libs/kafka';
import { Metrics, Readiness, type Logger } from '#libs/observability';
import {
  connectDatabase,
  Cursors,
  EndpointFaultLog,
  promptAnswers,
  ReplayParts,
  type Database,
} from '#libs/persistence';
import { CONFIG, KAFKA_LOG, LOGGER, SCHEMA_CODEC, TOPICS, type Topics } from '#libs/platform';
import type { SchemaCodec } from '#libs/schema-codec';
import { openSandbox, type Sandbox } from '#libs/sandbox';
import { Dispatcher } from './dispatcher.js';
import type { Surroundings } from './surroundings.js';

/** Connections of its own: what holds a source partition up must have an answer soon, or none. */
const CURSOR_DATABASE = Symbol('CursorDatabase');
const SANDBOX = Symbol('Sandbox');
/** Two, so that one that is ended for its code does not delay the others. */
const sandboxThreads = 2;

@Module({
  providers: [
    {
      provide: CURSOR_DATABASE,
      inject: [CONFIG],
      useFactory: (config: Config): Promise<Database> => connectDatabase(config.databaseUrl, promptAnswers),
    },
    { provide: SANDBOX, useFactory: (): Sandbox => openSandbox({ threads: sandboxThreads }) },
    {
      provide: Dispatcher,
      inject: [CONFIG, KAFKA_LOG, CURSOR_DATABASE, SANDBOX, SCHEMA_CODEC, TOPICS, Metrics, LOGGER],
      useFactory: (
        config: Config,
        log: KafkaLog,
        database: Database,
        sandbox: Sandbox,
        codec: SchemaCodec,
        topics: Topics,
        metrics: Metrics,
        logger: Logger,
      ): Dispatcher =>
        new Dispatcher(
          log,
          {
            codecs: { events: codec.events, config: codec.platform, platform: codec.platform },
            stores: {
              cursors: new Cursors(database),
              replays: new ReplayParts(database),
              faults: new EndpointFaultLog(database),
            },
            content: { filterOf, runner: sandbox },
          },
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
    @Inject(SANDBOX) private readonly sandbox: Sandbox,
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
    await this.sandbox.close();
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
