import { randomUUID } from 'node:crypto';
import {
  Inject,
  Module,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnModuleInit,
} from '@nestjs/common';
import type { Config } from '#libs/config';
import { parseMasterKeys } from '#libs/core';
import { createHttpSender, type HttpSender } from '#libs/http-delivery';
import type { KafkaLog } from '#libs/kafka';
import { Metrics, Readiness, type Logger } from '#libs/observability';
import { CONFIG, KAFKA_LOG, LOGGER, SCHEMA_CODEC, TOPICS, senderOptionsOf, type Topics } from '#libs/platform';
import type { SchemaCodec } from '#libs/schema-codec';
import type { Clock } from './clock.js';
import { DeliverConsumer } from './deliver.consumer.js';

const HTTP_SENDER = Symbol('HttpSender');

@Module({
  providers: [
    {
      provide: HTTP_SENDER,
      inject: [CONFIG],
      useFactory: (config: Config): HttpSender => createHttpSender(senderOptionsOf(config)),
    },
    {
      provide: DeliverConsumer,
      inject: [CONFIG, KAFKA_LOG, SCHEMA_CODEC, TOPICS, Metrics, LOGGER, HTTP_SENDER],
      useFactory: (
        config: Config,
        kafka: KafkaLog,
        codec: SchemaCodec,
        topics: Topics,
        metrics: Metrics,
        logger: Logger,
        http: HttpSender,
      ): DeliverConsumer =>
        new DeliverConsumer(
          kafka,
          {
            topics: topics.names,
            groupId: topics.groups.worker,
            dispatcherGroupId: topics.groups.dispatcher,
            workerId: `worker-${randomUUID().slice(0, 8)}`,
            masterKeys: parseMasterKeys(config.masterKeys),
            maxInFlight: config.maxInFlight,
            laneRecords: config.laneRecords,
            laneBytes: config.laneBytes,
          },
          { http, codecs: codec.platform, clock, random: Math.random, metrics, log: logger, fatal },
        ),
    },
  ],
})
export class WorkerModule implements OnModuleInit, OnApplicationBootstrap, BeforeApplicationShutdown {
  constructor(
    @Inject(DeliverConsumer) private readonly consumer: DeliverConsumer,
    @Inject(HTTP_SENDER) private readonly http: HttpSender,
    @Inject(Readiness) private readonly readiness: Readiness,
  ) {}

  onModuleInit(): void {
    this.readiness.add({ name: 'worker', check: () => this.consumer.check() });
  }

  /** Not awaited: health must be answered while brokers are away. A failure ends the process (exitOnBug). */
  onApplicationBootstrap(): void {
    void this.consumer.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.consumer.stop();
    await this.http.close();
  }
}

const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  schedule(ms, task) {
    const timer = setTimeout(task, ms);
    return () => clearTimeout(timer);
  },
  defer(task) {
    setImmediate(task);
  },
};

/** A membership that cannot go on must not leave a half-alive process (exitOnBug ends it). */
function fatal(error: Error): void {
  queueMicrotask(() => {
    throw error;
  });
}
