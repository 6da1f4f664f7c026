import type { JsonValue } from '#libs/core';
import { dataSchemas, schemaRef } from './data-schemas.js';
import {
  describe,
  newestOf,
  versionKey,
  type DocumentedType,
  type DocumentInfo,
  type JsonObject,
} from './documented-type.js';
import {
  answers,
  cloudEventSchema,
  contentTypes,
  earlierVersions,
  exampleEvent,
  exampleTime,
  formOf,
  overview,
  paragraphs,
  schemaKeys,
  standardPayloadSchema,
  webhookHeaders,
} from './exchange.js';

/** Of the webhook that holds several events. No event type has a `-`. */
const batchKey = 'batch-of-events';

/** Headers of the format `binary` (CloudEvents HTTP binding §3.1.3): attributes that an event may have. */
const binaryHeaders = ['specversion', 'id', 'source', 'type', 'time', 'subject', 'tenantid', 'partitionkey'] as const;

/**
 * The webhooks as OpenAPI 3.1: one for each type with its newest version, in all forms. The data of earlier versions is
 * among the schemas, under `<type>-v<n>`.
 * @param types sorted as they shall appear
 */
export function openApiDocument(types: readonly DocumentedType[], info: DocumentInfo): JsonObject {
  return {
    openapi: '3.1.0',
    info: { ...info, description: overview },
    jsonSchemaDialect: 'https://json-schema.org/draft/2020-12/schema',
    webhooks: {
      ...Object.fromEntries(types.map((type) => [type.type, { post: webhookOf(type) }])),
      [batchKey]: { post: batchWebhook },
    },
    components: {
      parameters: parameters(),
      responses: Object.fromEntries(answers.map((answer) => [answer.key, responseOf(answer)])),
      schemas: {
        [schemaKeys.cloudEvent]: cloudEventSchema,
        [schemaKeys.standardPayload]: standardPayloadSchema,
        ...dataSchemas(types),
      },
    },
  };
}

const ref = (kind: 'parameters' | 'responses', key: string): JsonObject => ({ $ref: `#/components/${kind}/${key}` });

const responses = Object.fromEntries(
  answers.map(({ key, status }) => [status ?? 'default', ref('responses', key)] as const),
);
const signed = Object.keys(webhookHeaders).map((name) => ref('parameters', name));

const batchWebhook = {
  operationId: batchKey,
  summary: 'Several events at once',
  description: 'What endpoints with `batch` get instead of the others: events of any of their types, in order.',
  parameters: signed,
  requestBody: {
    required: true,
    content: {
      [contentTypes.batch]: { schema: { type: 'array', items: { $ref: schemaRef(schemaKeys.cloudEvent) } } },
      [contentTypes.json]: {
        schema: {
          type: 'array',
          description: 'Of what the format `standard` or `data` makes of each event.',
          items: true,
        },
      },
    },
  },
  responses,
};

function webhookOf(type: DocumentedType): JsonObject {
  const { version, examples } = newestOf(type);
  const key = versionKey(type.type, version);
  const each = (form: (data: JsonValue) => JsonValue): JsonObject =>
    Object.fromEntries(examples.map((data, i) => [`example-${i + 1}`, { value: form(data) }]));
  const named = (format: string, forms: JsonObject): JsonObject =>
    Object.fromEntries(
      Object.entries(forms).map(([name, one]) => [`${format}-${name}`, { summary: format, ...(one as JsonObject) }]),
    );
  return {
    operationId: type.type,
    summary: type.type,
    description: paragraphs(
      describe(type),
      earlierVersions(type, (earlier) => schemaRef(versionKey(type.type, earlier))),
    ),
    ...(type.deprecated === null ? {} : { deprecated: true }),
    parameters: [...signed, ...binaryHeaders.map((name) => ref('parameters', `ce-${name}`))],
    requestBody: {
      required: true,
      content: {
        [contentTypes.structured]: {
          schema: formOf(schemaKeys.cloudEvent, type.type, key),
          examples: each((data) => exampleEvent(type.type, data)),
        },
        [contentTypes.json]: {
          schema: {
            anyOf: [
              { title: 'standard', ...formOf(schemaKeys.standardPayload, type.type, key) },
              { title: 'binary, data', $ref: schemaRef(key) },
            ],
          },
          examples: {
            ...named(
              'standard',
              each((data) => ({ type: type.type, timestamp: exampleTime, data })),
            ),
            ...named(
              'data',
              each((data) => data),
            ),
          },
        },
      },
    },
    responses,
  };
}

function parameters(): JsonObject {
  const header = (name: string, required: boolean, rest: JsonObject): JsonObject => ({
    name,
    in: 'header',
    required,
    ...rest,
  });
  const attributes: JsonObject = cloudEventSchema.properties;
  return {
    ...Object.fromEntries(Object.entries(webhookHeaders).map(([name, rest]) => [name, header(name, true, rest)])),
    ...Object.fromEntries(
      binaryHeaders.map((name) => [
        `ce-${name}`,
        header(`ce-${name}`, false, {
          description: `Format \`binary\` only: the attribute \`${name}\`, percent-encoded.`,
          schema: attributes[name] ?? true,
        }),
      ]),
    ),
  };
}

const responseOf = ({ description, retryAfter }: (typeof answers)[number]): JsonObject => ({
  description,
  ...(retryAfter === null
    ? {}
    : { headers: { 'retry-after': { description: retryAfter, schema: { type: 'string' } } } }),
});
