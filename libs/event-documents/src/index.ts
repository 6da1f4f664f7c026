export { asyncApiDocument } from './asyncapi.js';
export type { DocumentedType, DocumentedVersion, DocumentInfo, JsonObject } from './documented-type.js';
export { openApiDocument } from './openapi.js';
