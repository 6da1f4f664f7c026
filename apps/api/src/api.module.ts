import { randomBytes } from 'node:crypto';
import { Module } from '@nestjs/common';
import { APP_FILTER, APP_INTERCEPTOR } from '@nestjs/core';
import { v7 } from 'uuid';
import type { Config } from '#libs/config';
import { networkRules, parseMasterKeys, scheduleOf } from '#libs/core';
import type { KafkaLog } from '#libs/kafka';
import { Metrics, type Logger } from '#libs/observability';
import {
  Cursors,
  DeadLetters,
  DeliveryLog,
  DeliveryStats,
  EndpointHistory,
  EndpointFaultLog,
  EndpointRepository,
  HaltedKeys,
  Outbox,
  TenantRepository,
  type Database,
} from '#libs/persistence';
import { CONFIG, DATABASE, DatabaseModule, KAFKA_LOG, LOGGER, SCHEMA_CODEC, TOPICS, type Topics } from '#libs/platform';
import type { SchemaCodec } from '#libs/schema-codec';
import { ApiLife } from './api-life.js';
import { ApiLog } from './api-log.js';
import { ApiServer } from './api-server.js';
import { accessProviders } from './access/access-providers.js';
import { ApiKeysController } from './access/api-keys.controller.js';
import { AuditController } from './audit/audit.controller.js';
import { DeadLettersController } from './dead-letters/dead-letters.controller.js';
import { DeadLetterDesk } from './dead-letters/dead-letters.js';
import { DeliveriesController } from './deliveries/deliveries.controller.js';
import { Deliveries } from './deliveries/deliveries.js';
import { EndpointBacklogController } from './endpoints/endpoint-backlog.controller.js';
import { EndpointBacklog } from './endpoints/endpoint-backlog.js';
import { EndpointHistoryController } from './endpoints/endpoint-history.controller.js';
import { EndpointVersions } from './endpoints/endpoint-history.js';
import { ENDPOINT_RULES, EndpointsController, type EndpointRules } from './endpoints/endpoints.controller.js';
import { Endpoints } from './endpoints/endpoints.js';
import { HaltedKeysController } from './endpoints/halted-keys.controller.js';
import { EndpointHaltedKeys } from './endpoints/halted-keys.js';
import { PublishedVersions } from './endpoints/published-versions.js';
import { RetryPreviewController } from './endpoints/retry-preview.controller.js';
import { EndpointSecretsController } from './endpoints/secrets.controller.js';
import { EndpointSecrets } from './endpoints/secrets.js';
import { SourceLog } from './endpoints/source-log.js';
import { filterProviders } from './filters/filter-providers.js';
import { FilterTestsController } from './filters/filter-tests.controller.js';
import { EndpointVersionsController } from './endpoints/versions.controller.js';
import { VersionPins } from './endpoints/versions-pins.js';
import { eventTypeProviders } from './event-types/event-type-providers.js';
import { EventTypesController } from './event-types/event-types.controller.js';
import { EntityTags } from './http/entity-tags.interceptor.js';
import { RequestsInFlight } from './http/requests-in-flight.js';
import { SparseFields } from './http/sparse-fields.interceptor.js';
import { RegisteredSchemas } from './ingest/event-schemas.js';
import { Ingest } from './ingest/ingest.js';
import { Repeats } from './ingest/repeats.js';
import { TenantDirectory } from './ingest/tenant-directory.js';
import { DocsController } from './openapi/docs.controller.js';
import { OutboxPublisher } from './outbox/publish-outbox.js';
import { ProblemFilter } from './problem/problem.filter.js';
import { replayProviders } from './replays/replay-providers.js';
import { ReplaysController } from './replays/replays.controller.js';
import { SendAgainController } from './replays/send-again.controller.js';
import { SettingsController } from './settings/settings.controller.js';
import { StatsController } from './stats/stats.controller.js';
import { StatsDesk } from './stats/stats.js';
import { TestSendsController } from './test-sends/test-sends.controller.js';
import { testSendProviders } from './test-sends/test-send-providers.js';
import { TenantsController } from './tenants/tenants.controller.js';
import { Tenants } from './tenants/tenants.js';
import { transformationProviders } from './transformations/transformation-providers.js';
import { TransformationsController } from './transformations/transformations.controller.js';
import { VerificationCallbacksController } from './verification/callbacks.controller.js';
import { EndpointVerificationController } from './verification/verification.controller.js';
import { verificationProviders } from './verification/verification-providers.js';
import { VerifyDue } from './verification/verify-due.js';

const maxPendingBytes = 64 * 1024 * 1024;
/** Events of a partition that one process remembers as acknowledged: about 150 bytes each. */
const maxRemembered = 10_000;
const longestRetryAfterMs = 86_400_000;

const schedule = (ms: number, run: () => void): (() => void) => {
  const timer = setTimeout(run, ms);
  return () => clearTimeout(timer);
};
const newId = (): string => v7().replaceAll('-', '');

/** The REST API: ingest, configuration, delivery log. Expects the PlatformModule around it. */
@Module({
  imports: [DatabaseModule],
  controllers: [
    ApiKeysController,
    AuditController,
    TenantsController,
    EventTypesController,
    EndpointsController,
    EndpointVersionsController,
    RetryPreviewController,
    HaltedKeysController,
    EndpointSecretsController,
    EndpointHistoryController,
    EndpointBacklogController,
    TestSendsController,
    EndpointVerificationController,
    VerificationCallbacksController,
    DeliveriesController,
    DeadLettersController,
    ReplaysController,
    SendAgainController,
    FilterTestsController,
    StatsController,
    SettingsController,
    TransformationsController,
    DocsController,
  ],
  providers: [
    RequestsInFlight,
    ApiServer,
    ApiLife,
    { provide: APP_INTERCEPTOR, useClass: SparseFields },
    { provide: APP_INTERCEPTOR, useClass: EntityTags },
    {
      provide: APP_FILTER,
      inject: [LOGGER],
      useFactory: (logger: Logger) => new ProblemFilter(logger),
    },
    { provide: ApiLog, inject: [KAFKA_LOG], useFactory: (kafka: KafkaLog) => new ApiLog(kafka) },
    {
      provide: OutboxPublisher,
      inject: [DATABASE, ApiLog, SCHEMA_CODEC, TOPICS, LOGGER],
      useFactory: (
        db: Database,
        { outboxSender: sender }: ApiLog,
        { platform: codecs }: SchemaCodec,
        topics: Topics,
        log: Logger,
      ) =>
        new OutboxPublisher(
          { outbox: new Outbox(db), sender, codecs, schedule, log },
          {
            topic: topics.names.endpoints,
            auditTopic: topics.names.audit,
            pollMs: 500,
            busyMs: 50,
            waitMs: 2_000,
            batch: 500,
          },
        ),
    },
    {
      provide: TenantDirectory,
      inject: [DATABASE, ApiLog, TOPICS],
      useFactory(database: Database, log: ApiLog, { names }: Topics) {
        // What it learns it tells everybody.
        const tenants = new TenantRepository(database.unconfined);
        return new TenantDirectory(names.endpoints, log, async (id) => (await tenants.get(id)) !== null, schedule);
      },
    },
    {
      provide: Ingest,
      inject: [ApiLog, SCHEMA_CODEC, TenantDirectory, Metrics, CONFIG, TOPICS],
      useFactory: (
        { ingestSender: sender }: ApiLog,
        codec: SchemaCodec,
        tenants: TenantDirectory,
        counts: Metrics,
        config: Config,
        topics: Topics,
      ) =>
        new Ingest(
          {
            sender,
            schemas: new RegisteredSchemas(codec.events),
            tenants,
            repeats: new Repeats(Math.min(maxRemembered, config.repeatWindow)),
            counts,
          },
          {
            topic: topics.names.events,
            partitions: topics.eventPartitions,
            timeoutMs: config.ingestTimeoutMs,
            maxEventBytes: config.maxEventBytes,
            maxPendingBytes,
          },
        ),
    },
    {
      provide: Tenants,
      inject: [DATABASE, OutboxPublisher],
      useFactory: (database: Database, publication: OutboxPublisher) =>
        new Tenants(new TenantRepository(database), publication, Date.now),
    },
    {
      provide: ENDPOINT_RULES,
      inject: [CONFIG],
      useFactory: (config: Config): EndpointRules => ({
        network: networkRules(config),
        verification: config.verification,
      }),
    },
    {
      provide: SourceLog,
      inject: [ApiLog, CONFIG, TOPICS],
      useFactory: (log: ApiLog, { ingestTimeoutMs: timeoutMs }: Config, { names, groups, eventPartitions }: Topics) =>
        new SourceLog(
          {
            reader: log.reader,
            committed: (places) => log.committed(groups.dispatcher, places),
            schedule,
            now: Date.now,
          },
          { topic: names.events, partitions: eventPartitions, timeoutMs },
        ),
    },
    {
      provide: EndpointBacklog,
      inject: [DATABASE, SourceLog],
      useFactory: (database: Database, source: SourceLog) =>
        new EndpointBacklog({ endpoints: new EndpointRepository(database), cursors: new Cursors(database), source }),
    },
    {
      provide: Endpoints,
      inject: [DATABASE, OutboxPublisher, SourceLog, VersionPins, VerifyDue, CONFIG],
      useFactory: (
        database: Database,
        publication: OutboxPublisher,
        source: SourceLog,
        pins: VersionPins,
        due: VerifyDue,
        config: Config,
      ) =>
        new Endpoints(
          {
            repository: new EndpointRepository(database),
            faults: new EndpointFaultLog(database),
            publication,
            source,
            pins,
            verification: { rule: config.verification, begun: () => due.look() },
            masterKeys: parseMasterKeys(config.masterKeys),
            now: Date.now,
            newId,
            randomBytes,
          },
          {
            maxInFlight: config.endpointMaxInFlight,
            timeoutMs: config.endpointTimeoutMs,
            retry: scheduleOf(config.retryDelaysMs.map(Number), {
              jitter: config.retryJitter,
              maxDelayMs: longestRetryAfterMs,
            }),
          },
        ),
    },
    {
      provide: EndpointSecrets,
      inject: [DATABASE, OutboxPublisher, CONFIG],
      useFactory: (database: Database, publication: OutboxPublisher, config: Config) =>
        new EndpointSecrets({
          repository: new EndpointRepository(database),
          publication,
          masterKeys: parseMasterKeys(config.masterKeys),
          now: Date.now,
          newId,
          randomBytes,
        }),
    },
    {
      provide: EndpointHaltedKeys,
      inject: [DATABASE, OutboxPublisher],
      useFactory: (database: Database, publication: OutboxPublisher) =>
        new EndpointHaltedKeys({
          keys: new HaltedKeys(database),
          endpoints: new EndpointRepository(database),
          publication,
          now: Date.now,
        }),
    },
    {
      provide: EndpointHistory,
      inject: [DATABASE],
      useFactory: (database: Database) => new EndpointHistory(database),
    },
    {
      provide: EndpointVersions,
      inject: [EndpointHistory],
      useFactory: (history: EndpointHistory) => new EndpointVersions(history),
    },
    {
      provide: PublishedVersions,
      inject: [KAFKA_LOG, SCHEMA_CODEC, EndpointHistory, TOPICS, LOGGER],
      useFactory: (
        kafka: KafkaLog,
        { platform: codecs }: SchemaCodec,
        history: EndpointHistory,
        topics: Topics,
        log: Logger,
      ) => new PublishedVersions({ feed: kafka.feed(), codecs, history, schedule, log }, topics.names.endpoints),
    },
    {
      provide: Deliveries,
      inject: [DATABASE, EndpointHistory],
      useFactory: (database: Database, history: EndpointHistory) => new Deliveries(new DeliveryLog(database), history),
    },
    {
      provide: StatsDesk,
      inject: [DATABASE],
      useFactory: (database: Database) => new StatsDesk(new DeliveryStats(database), Date.now),
    },
    {
      provide: DeadLetterDesk,
      inject: [DATABASE, Deliveries, TOPICS],
      useFactory: (database: Database, deliveries: Deliveries, topics: Topics) =>
        new DeadLetterDesk({
          deadLetters: new DeadLetters(database),
          deliveries,
          topic: topics.names.deadLetters,
          now: Date.now,
        }),
    },
    ...accessProviders,
    ...replayProviders,
    ...filterProviders,
    ...eventTypeProviders,
    ...transformationProviders,
    ...testSendProviders,
    ...verificationProviders,
  ],
})
export class ApiModule {}
