import { openEventCatalogue, type EventCatalogue } from './event-catalogue.js';
import { HttpRegistry, type RegistryAddress } from './http-registry.js';
import { openPlatformCodecs, type PlatformCodecs } from './platform-codecs.js';
import type { Registry } from './registry.js';

export interface SchemaCodec {
  /** Our own records. */
  readonly platform: PlatformCodecs;
  /** The data of events. */
  readonly events: EventCatalogue;
  /** Resolves when the registry answers; rejects with the reason otherwise. */
  ping(): Promise<void>;
}

export interface SchemaCodecOptions extends RegistryAddress {
  /** Of one request. Default 5,000. */
  readonly timeoutMs?: number;
  /** Milliseconds of a monotonic clock, for the age of what is cached. */
  readonly monotonic?: () => number;
}

/**
 * Opens the codec over a schema registry.
 * @throws RegistryUnavailable when it does not answer; Error when the platform's schemas are not registered
 */
export function connectSchemaCodec(options: SchemaCodecOptions): Promise<SchemaCodec> {
  return openSchemaCodec(new HttpRegistry(options, options.timeoutMs ?? 5_000), options.monotonic);
}

/** The same over any registry: with `InMemoryRegistry`, for tests. */
export async function openSchemaCodec(
  registry: Registry,
  monotonic: () => number = () => performance.now(),
): Promise<SchemaCodec> {
  const platform = await openPlatformCodecs(registry);
  return {
    platform,
    events: openEventCatalogue(registry, monotonic),
    // Schema ids begin at 1: any answer, also "no such schema", will do.
    async ping() {
      await registry.schemaById(1);
    },
  };
}
