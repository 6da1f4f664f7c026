import type { Provider } from '@nestjs/common';
import { v7 } from 'uuid';
import type { Config } from '#libs/config';
import type { KafkaLog } from '#libs/kafka';
import type { Logger } from '#libs/observability';
import {
  DeadLetterExtents,
  DeadLetters,
  DeliveryLog,
  EndpointRepository,
  ReplayParts,
  Replays,
  TenantRepository,
  type Database,
} from '#libs/persistence';
import { CONFIG, DATABASE, KAFKA_LOG, LOGGER, SCHEMA_CODEC, TOPICS, type Topics } from '#libs/platform';
import type { SchemaCodec } from '#libs/schema-codec';
import { OutboxPublisher } from '../outbox/publish-outbox.js';
import { ReplayCreation } from './create-replay.js';
import { DeadLetterReplays } from './dead-letter-replays.js';
import { DryRuns } from './dry-run.js';
import { EndReplays } from './end-replays.js';
import { ReplayLog } from './replay-log.js';
import { ReplayWindows } from './replay-window.js';
import { ReplayDesk } from './replays.js';
import { Resends } from './resends.js';

/** A dry run answers while somebody waits for it; what it could not read by then it extrapolates. */
const dryRun = { maxMs: 10_000, maxRecords: 500_000, atOnce: 2 };
const endsPollMs = 2_000;

const schedule = (ms: number, run: () => void): (() => void) => {
  const timer = setTimeout(run, ms);
  return () => clearTimeout(timer);
};
const monotonic = (): number => performance.now();

/** Everything behind the routes of replays. */
export const replayProviders: readonly Provider[] = [
  {
    provide: ReplayLog,
    inject: [KAFKA_LOG, TOPICS],
    useFactory: (kafka: KafkaLog, { groups }: Topics) => new ReplayLog(kafka, groups.dispatcher),
  },
  { provide: Replays, inject: [DATABASE], useFactory: (database: Database) => new Replays(database) },
  {
    provide: EndpointRepository,
    inject: [DATABASE],
    useFactory: (database: Database) => new EndpointRepository(database),
  },
  {
    provide: ReplayDesk,
    inject: [Replays, OutboxPublisher],
    useFactory: (replays: Replays, publication: OutboxPublisher) =>
      new ReplayDesk({ replays, publication, now: Date.now, newId: v7 }),
  },
  {
    provide: EndReplays,
    inject: [Replays, OutboxPublisher, LOGGER],
    useFactory: (replays: Replays, publication: OutboxPublisher, log: Logger) =>
      new EndReplays({ replays, publication, schedule, now: Date.now, monotonic, log }, endsPollMs),
  },
  {
    provide: DryRuns,
    inject: [ReplayLog, SCHEMA_CODEC, CONFIG, TOPICS],
    useFactory: (log: ReplayLog, { events: data }: SchemaCodec, config: Config, { names }: Topics) => {
      const { maxEventBytes, repeatWindow } = config;
      return new DryRuns({ log, data, monotonic }, { topic: names.events, maxEventBytes, repeatWindow, ...dryRun });
    },
  },
  {
    provide: DeadLetterReplays,
    inject: [ReplayDesk, DATABASE, ReplayLog, TOPICS],
    useFactory: (desk: ReplayDesk, database: Database, log: ReplayLog, { names, eventPartitions }: Topics) =>
      new DeadLetterReplays({
        desk,
        extents: new DeadLetterExtents(database),
        deadLetters: new DeadLetters(database),
        log,
        topic: names.deadLetters,
        eventPartitions,
        pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      }),
  },
  {
    provide: Resends,
    inject: [ReplayDesk, DATABASE, ReplayLog, SCHEMA_CODEC, TOPICS],
    useFactory: (
      desk: ReplayDesk,
      database: Database,
      log: ReplayLog,
      { platform: codecs }: SchemaCodec,
      { names: topics }: Topics,
    ) =>
      new Resends({
        desk,
        deliveries: new DeliveryLog(database),
        endpoints: new EndpointRepository(database),
        replays: new Replays(database),
        log,
        codecs,
        topics,
        now: Date.now,
      }),
  },
  {
    provide: ReplayCreation,
    inject: [ReplayDesk, DATABASE, ReplayLog, DryRuns, DeadLetterReplays, TOPICS],
    useFactory: (
      desk: ReplayDesk,
      database: Database,
      log: ReplayLog,
      dryRuns: DryRuns,
      deadLetters: DeadLetterReplays,
      { names, eventPartitions }: Topics,
    ) =>
      new ReplayCreation({
        desk,
        tenants: new TenantRepository(database),
        endpoints: new EndpointRepository(database),
        parts: new ReplayParts(database),
        windows: new ReplayWindows(log, names.events, eventPartitions),
        dryRuns,
        deadLetters,
      }),
  },
];
