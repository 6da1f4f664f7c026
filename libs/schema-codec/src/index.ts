export { applySchemas } from './apply-schemas.js';
export { connectSchemaCodec, openSchemaCodec, type SchemaCodec } from './connect.js';
export { CodecError, RegistryUnavailable } from './errors.js';
export type { EventCatalogue, TypeVersion, VersionedJson, WantedVersion } from './event-catalogue.js';
export type { EventSchema } from './event-schema.js';
export type { EventVersion } from './event-versions.js';
export { InMemoryRegistry } from './in-memory-registry.js';
export { platformSchemas, type PlatformCodecs, type RecordCodec } from './platform-codecs.js';
