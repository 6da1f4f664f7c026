import type { Provider } from '@nestjs/common';
import { TenantRepository, type Database } from '#libs/persistence';
import { DATABASE, SCHEMA_CODEC } from '#libs/platform';
import type { SchemaCodec } from '#libs/schema-codec';
import { PastEvents } from '../event-types/last-events.js';
import { FilterTests } from './filter-tests.js';

/** Everything behind the routes of filters. */
export const filterProviders: readonly Provider[] = [
  {
    provide: FilterTests,
    inject: [DATABASE, PastEvents, SCHEMA_CODEC],
    useFactory: (database: Database, past: PastEvents, { events: data }: SchemaCodec) =>
      new FilterTests({ tenants: new TenantRepository(database), past, data }),
  },
];
