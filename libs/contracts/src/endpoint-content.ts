import type { EndpointConfig } from './records.generated.js';

/** What an endpoint receives, beside which types: the part of its configuration that shapes a request. */
export type EndpointContent = Pick<
  EndpointConfig,
  'filters' | 'versions' | 'latestByDefault' | 'format' | 'headers' | 'compression' | 'batch' | 'transformationId'
>;

/** Every event in its newest version as CloudEvents structured JSON, on its own. */
export const plainContent: EndpointContent = Object.freeze({
  filters: null,
  versions: {},
  latestByDefault: true,
  format: 'structured',
  headers: {},
  compression: 'none',
  batch: null,
  transformationId: null,
});
