export { applySchemas } from './apply-schemas.js';
export { parseAvroSchema, type AvroNode } from './avro-node.js';
export { compatibilityOf, type CompatibilityFault } from './compatibility.js';
export { connectSchemaCodec, openSchemaCodec, type SchemaCodec } from './connect.js';
export { differenceOf, type Difference } from './difference.js';
export { CodecError, RegistryUnavailable } from './errors.js';
export type { EventCatalogue, TypeVersion, VersionedJson, WantedVersion } from './event-catalogue.js';
export {
  parseEventFolder,
  readEventFolder,
  readFolder,
  sameSchema,
  type EventFolder,
  type FileTexts,
  type VersionFile,
} from './event-folder.js';
export { parseEventMeta, readEventMeta, type EventMeta } from './event-meta.js';
export { HttpRegistry, type RegistryAddress } from './http-registry.js';
export type { EventSchema } from './event-schema.js';
export type { EventVersion } from './event-versions.js';
export { exampleOf } from './json-example.js';
export { jsonShapeOf, type JsonShape } from './json-shape.js';
export { InMemoryRegistry } from './in-memory-registry.js';
export { platformSchemas, type PlatformCodecs, type RecordCodec } from './platform-codecs.js';
export type { Registry } from './registry.js';
export { typeText } from './schema-words.js';
