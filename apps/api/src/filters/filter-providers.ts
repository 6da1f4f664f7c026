import type { Provider } from '@nestjs/common';
import type { Config } from '#libs/config';
import { TenantRepository, type Database } from '#libs/persistence';
import { CONFIG, DATABASE, SCHEMA_CODEC, TOPICS, type Topics } from '#libs/platform';
import type { SchemaCodec } from '#libs/schema-codec';
import { ReplayLog } from '../replays/replay-log.js';
import { FilterTests } from './filter-tests.js';
import { LatestEvents } from './latest-events.js';

/** A test answers while somebody waits for it. */
const search = { maxRecords: 100_000, maxMs: 5_000 };
const testsAtOnce = 2;

/** Everything behind the routes of filters. */
export const filterProviders: readonly Provider[] = [
  {
    provide: FilterTests,
    inject: [DATABASE, ReplayLog, SCHEMA_CODEC, CONFIG, TOPICS],
    useFactory(database: Database, log: ReplayLog, codec: SchemaCodec, { maxEventBytes }: Config, topics: Topics) {
      const latest = new LatestEvents(
        { log, now: Date.now, monotonic: () => performance.now() },
        { topic: topics.names.events, partitions: topics.eventPartitions, maxEventBytes, ...search },
      );
      return new FilterTests({ tenants: new TenantRepository(database), latest, data: codec.events }, testsAtOnce);
    },
  },
];
