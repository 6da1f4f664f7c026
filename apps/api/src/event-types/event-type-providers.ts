import { resolve } from 'node:path';
import type { Provider } from '@nestjs/common';
import { projectRoot, type Config } from '#libs/config';
import type { Logger } from '#libs/observability';
import { EndpointRepository } from '#libs/persistence';
import { CONFIG, LOGGER, SCHEMA_CODEC, TOPICS, type Topics } from '#libs/platform';
import { readEventMeta, type SchemaCodec } from '#libs/schema-codec';
import { VersionPins } from '../endpoints/versions-pins.js';
import { VersionPreview } from '../endpoints/versions-preview.js';
import { TypeVersions } from '../endpoints/versions.js';
import { ReplayLog } from '../replays/replay-log.js';
import { EventMetaFolder } from './event-meta.js';
import { EventTypes } from './event-types.js';
import { PastEvents } from './last-events.js';
import { TypeCatalogue } from './type-catalogue.js';

/** Somebody waits for the answer, which says how far it looked. */
const lookBack = { maxMs: 5_000, maxRecords: 50_000, atOnce: 4 };
/** Of the documents for consumers; what is in them follows the registry. */
const documents = { title: 'Webhooks', version: '1.0.0' };

const monotonic = (): number => performance.now();

/** Everything behind the routes of event types and of their versions. */
export const eventTypeProviders: readonly Provider[] = [
  {
    provide: TypeCatalogue,
    inject: [SCHEMA_CODEC, CONFIG, LOGGER],
    useFactory({ events: registry }: SchemaCodec, config: Config, log: Logger) {
      const folder = resolve(projectRoot(), config.eventsDir);
      const meta = new EventMetaFolder({ read: () => readEventMeta(folder), monotonic, log });
      return new TypeCatalogue({ registry, meta, monotonic });
    },
  },
  {
    provide: EventTypes,
    inject: [TypeCatalogue],
    useFactory: (catalogue: TypeCatalogue) => new EventTypes(catalogue, documents),
  },
  {
    provide: PastEvents,
    inject: [ReplayLog, CONFIG, TOPICS],
    useFactory: (log: ReplayLog, { maxEventBytes }: Config, { names, eventPartitions: partitions }: Topics) =>
      new PastEvents(
        { log, now: Date.now, monotonic },
        { topic: names.events, partitions, maxEventBytes, ...lookBack },
      ),
  },
  {
    provide: VersionPins,
    inject: [TypeCatalogue],
    useFactory: (catalogue: TypeCatalogue) => new VersionPins(catalogue),
  },
  {
    provide: TypeVersions,
    inject: [EndpointRepository, TypeCatalogue],
    useFactory: (endpoints: EndpointRepository, catalogue: TypeCatalogue) => new TypeVersions(endpoints, catalogue),
  },
  {
    provide: VersionPreview,
    inject: [EndpointRepository, TypeCatalogue, PastEvents, SCHEMA_CODEC],
    useFactory: (
      endpoints: EndpointRepository,
      catalogue: TypeCatalogue,
      past: PastEvents,
      { events: data }: SchemaCodec,
    ) => new VersionPreview({ endpoints, catalogue, past, data }),
  },
];
