import type { OnModuleDestroy, Provider } from '@nestjs/common';
import { v7 } from 'uuid';
import type { Config } from '#libs/config';
import type { KafkaLog } from '#libs/kafka';
import type { Logger } from '#libs/observability';
import { EndpointRepository, TransformationRepository, type Database } from '#libs/persistence';
import { CONFIG, DATABASE, KAFKA_LOG, LOGGER, SCHEMA_CODEC, TOPICS, type Topics } from '#libs/platform';
import type { SchemaCodec } from '#libs/schema-codec';
import { ApiLog } from '../api-log.js';
import { TypeCatalogue } from '../event-types/type-catalogue.js';
import { OutboxPublisher } from '../outbox/publish-outbox.js';
import { ReplayLog } from '../replays/replay-log.js';
import { ApiSandbox } from '../transformations/transformation-providers.js';
import { AttemptWatch } from './attempt-watch.js';
import { TestSends } from './test-sends.js';

const bounds = { atOnce: 64, atOnceOfTenant: 16, atOnceToOne: 4 };

const schedule = (ms: number, run: () => void): (() => void) => {
  const timer = setTimeout(run, ms);
  return () => clearTimeout(timer);
};

/** Before requests under way are waited for: those of tests would take too long. */
class EndingAttemptWatch extends AttemptWatch implements OnModuleDestroy {
  onModuleDestroy(): void {
    this.close();
  }
}

/** Everything behind the route of tests. */
export const testSendProviders: readonly Provider[] = [
  {
    provide: AttemptWatch,
    inject: [KAFKA_LOG, ReplayLog, SCHEMA_CODEC, TOPICS, LOGGER],
    useFactory: (kafka: KafkaLog, reader: ReplayLog, { platform: codecs }: SchemaCodec, topics: Topics, log: Logger) =>
      new EndingAttemptWatch(topics.names.attempts, {
        bounds: (partitions) => reader.bounds(partitions),
        feed: () => kafka.feed(),
        codecs,
        schedule,
        log,
      }),
  },
  {
    provide: TestSends,
    inject: [
      EndpointRepository,
      DATABASE,
      ApiSandbox,
      OutboxPublisher,
      ApiLog,
      ReplayLog,
      AttemptWatch,
      TypeCatalogue,
      SCHEMA_CODEC,
      CONFIG,
      TOPICS,
    ],
    useFactory: (
      endpoints: EndpointRepository,
      database: Database,
      { sandbox }: ApiSandbox,
      publication: OutboxPublisher,
      { ingestSender: sender }: ApiLog,
      reader: ReplayLog,
      watch: AttemptWatch,
      catalogue: TypeCatalogue,
      { platform: codecs }: SchemaCodec,
      config: Config,
      { names: topics, deliveryPartitions: partitions }: Topics,
    ) =>
      new TestSends(
        {
          endpoints,
          // Who may see the endpoint sends through its code as dispatchers do, also where it may not be read.
          transformations: new TransformationRepository(database.unconfined),
          sandbox,
          publication,
          sender,
          bounds: (places) => reader.bounds(places),
          watch,
          catalogue,
          codecs,
          schedule,
          now: Date.now,
          newId: () => v7().replaceAll('-', ''),
        },
        {
          topics,
          partitions,
          maxEventBytes: config.maxEventBytes,
          appendMs: config.ingestTimeoutMs,
          timeoutMs: config.testTimeoutMs,
          ...bounds,
        },
      ),
  },
];
