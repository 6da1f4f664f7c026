/** What holds for every delivery, of whatever type: headers, forms, answers. */
import type { JsonValue } from '#libs/core';
import { newestOf, type DocumentedType, type JsonObject } from './documented-type.js';
import { schemaRef } from './data-schemas.js';

export const contentTypes = {
  structured: 'application/cloudevents+json',
  batch: 'application/cloudevents-batch+json',
  json: 'application/json',
} as const;

export const overview = `Each event is one POST to the URL of your endpoint, in the form that the endpoint's \`format\` says:

- \`structured\` (default): a CloudEvent 1.0 as JSON, \`${contentTypes.structured}\`
- \`binary\`: the data as \`${contentTypes.json}\`; the attributes of the CloudEvent are \`ce-\` headers
- \`standard\`: the payload of Standard Webhooks, \`type\`, \`timestamp\` and \`data\`, as \`${contentTypes.json}\`
- \`data\`: the data alone, as \`${contentTypes.json}\`

An endpoint with \`batch\` gets several events in one POST: \`${contentTypes.batch}\`, or a JSON array of its format.

Which version of a type it gets is said by its \`versions\`; by default that which was newest when it was created. A newer
version may add members, and leave out optional ones.

The signature is that of [Standard Webhooks](https://www.standardwebhooks.com): \`webhook-signature\` holds one or more
\`v1,<base64>\`, separated by spaces, each the HMAC-SHA256 of \`{webhook-id}.{webhook-timestamp}.{body}\` under one of the
endpoint's secrets. Check it over the raw body, and refuse a timestamp more than 5 minutes away from your clock. The same
\`webhook-id\` may come again, and later events may overtake earlier ones.`;

/** Request headers of every delivery. */
export const webhookHeaders = {
  'webhook-id': {
    description: 'Names this event for this endpoint; the same in every retry. Your idempotency key.',
    schema: { type: 'string' },
    example: 'msg_0VZMXqJ6yFQe3nq4bX9c1A',
  },
  'webhook-timestamp': {
    description: 'Unix seconds of this attempt.',
    schema: { type: 'string', pattern: '^[0-9]+$' },
    example: '1795462800',
  },
  'webhook-signature': {
    description: 'One or more `v1,<base64>`, separated by spaces: two while a secret is being rotated.',
    schema: { type: 'string' },
    example: 'v1,TGbZ0u6Vm0x0cPqVfN4eZ0o0fSxJq0bqK0Hn5l1m2bA=',
  },
} as const;

const waits = 'Seconds, or an HTTP date, before which it is not tried again, up to the longest delay of the endpoint.';

/** What an endpoint may answer, and what follows. `status` is undefined for all others. */
export const answers = [
  { key: 'delivered', status: '2XX', description: 'Delivered. The body is ignored.', retryAfter: null },
  {
    key: 'gone',
    status: '410',
    description: 'The endpoint is gone: it is disabled, and gets nothing more.',
    retryAfter: null,
  },
  { key: 'too-many-requests', status: '429', description: 'Tried again later.', retryAfter: waits },
  { key: 'unavailable', status: '503', description: 'Tried again later.', retryAfter: waits },
  {
    key: 'failed',
    status: null,
    description:
      'Anything else, also a redirect: tried again by the retry policy of the endpoint, then kept as a dead letter.',
    retryAfter: null,
  },
] as const;

/** Attributes of the structured form (CloudEvents 1.0.2). */
export const cloudEventSchema = {
  type: 'object',
  description: 'The attributes of a CloudEvent 1.0 beside its data. There may be more: ignore what you do not know.',
  required: ['specversion', 'id', 'source', 'type', 'datacontenttype', 'data'],
  properties: {
    specversion: { type: 'string', const: '1.0' },
    id: { type: 'string', minLength: 1, description: 'Names the event among those of its source.' },
    source: { type: 'string', format: 'uri-reference', minLength: 1, description: 'Where it comes from.' },
    type: { type: 'string', minLength: 1 },
    time: { type: 'string', format: 'date-time', description: 'When it happened.' },
    subject: { type: 'string', minLength: 1, description: 'What it is about.' },
    dataschema: { type: 'string', format: 'uri' },
    datacontenttype: { type: 'string', const: 'application/json' },
    tenantid: { type: 'string', description: 'The tenant that the event belongs to.' },
    partitionkey: { type: 'string', description: 'Events with the same one keep their order.' },
    data: true,
  },
} as const;

/** The payload of Standard Webhooks, of any type. */
export const standardPayloadSchema = {
  type: 'object',
  description: 'The payload of Standard Webhooks.',
  required: ['type', 'timestamp', 'data'],
  properties: {
    type: { type: 'string' },
    timestamp: { type: 'string', format: 'date-time', description: 'When the event happened.' },
    data: true,
  },
} as const;

export const schemaKeys = { cloudEvent: 'cloud-event', standardPayload: 'standard-payload' } as const;

/** A form of an event whose type is fixed and whose data has a schema. */
export const formOf = (form: string, type: string, dataKey: string): JsonObject => ({
  allOf: [
    { $ref: schemaRef(form) },
    { type: 'object', properties: { type: { type: 'string', const: type }, data: { $ref: schemaRef(dataKey) } } },
  ],
});

/** A whole structured event around an example of its data. */
export const exampleEvent = (type: string, data: JsonValue): JsonObject => ({
  specversion: '1.0',
  id: 'evt_42',
  source: '/example',
  type,
  time: exampleTime,
  tenantid: 'acme',
  datacontenttype: 'application/json',
  data,
});

export const exampleTime = '2026-11-23T19:40:00.000Z';

/** What a reader is told of the versions that are not the newest; empty when there are none. */
export function earlierVersions(type: DocumentedType, reference: (version: number) => string): string {
  const newest = newestOf(type).version;
  const earlier = type.versions.filter(({ version }) => version !== newest).toReversed();
  if (earlier.length === 0) return '';
  const list = earlier.map(({ version }) => `version ${version}: \`${reference(version)}\``).join(', ');
  return `This is version ${newest}. Endpoints that are pinned to an earlier one get ${list}.`;
}

export const paragraphs = (...parts: readonly string[]): string => parts.filter((part) => part !== '').join('\n\n');
