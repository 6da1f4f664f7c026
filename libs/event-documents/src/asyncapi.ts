import { dataSchemas } from './data-schemas.js';
import {
  describe,
  newestOf,
  versionKey,
  type DocumentedType,
  type DocumentedVersion,
  type DocumentInfo,
  type JsonObject,
} from './documented-type.js';
import {
  answers,
  cloudEventSchema,
  contentTypes,
  earlierVersions,
  exampleEvent,
  formOf,
  overview,
  paragraphs,
  schemaKeys,
  webhookHeaders,
} from './exchange.js';

/**
 * The webhooks as AsyncAPI 3.0: one operation for each type, by which we send what an endpoint subscribed to, and a message
 * for each version, newest first. Messages are in the default form; the others are described in words.
 * @param types sorted as they shall appear
 */
export function asyncApiDocument(types: readonly DocumentedType[], info: DocumentInfo): JsonObject {
  const messages = types.flatMap((type) => type.versions.toReversed().map((version) => ({ type, version })));
  const keys = messages.map(({ type, version }) => versionKey(type.type, version.version));
  return {
    asyncapi: '3.0.0',
    info: { ...info, description: overview },
    defaultContentType: contentTypes.structured,
    channels: {
      endpoint: {
        title: 'Your endpoint',
        description: 'The URL that the endpoint was created with.',
        // The consumer's own: not known here.
        address: null,
        messages: Object.fromEntries(keys.map((key) => [key, { $ref: `#/components/messages/${key}` }])),
      },
      answer: {
        title: 'Your answer',
        description: 'The response to the POST.',
        address: null,
        messages: Object.fromEntries(answers.map(({ key }) => [key, { $ref: `#/components/messages/answer-${key}` }])),
      },
    },
    operations: Object.fromEntries(types.map((type) => [type.type, operationOf(type)])),
    components: {
      schemas: { [schemaKeys.cloudEvent]: cloudEventSchema, ...dataSchemas(types) },
      messages: {
        ...Object.fromEntries(
          messages.map(({ type, version }, i) => [keys[i] ?? '', messageOf(type, version, newestOf(type) === version)]),
        ),
        ...Object.fromEntries(answers.map((answer) => [`answer-${answer.key}`, answerMessage(answer)])),
      },
      messageTraits: {
        webhook: {
          contentType: contentTypes.structured,
          headers: {
            type: 'object',
            required: Object.keys(webhookHeaders),
            properties: Object.fromEntries(
              Object.entries(webhookHeaders).map(([name, { schema, description, example }]) => [
                name,
                { ...schema, description, examples: [example] },
              ]),
            ),
          },
        },
      },
    },
  };
}

function operationOf(type: DocumentedType): JsonObject {
  const reference = (version: number): string => versionKey(type.type, version);
  return {
    action: 'send',
    channel: { $ref: '#/channels/endpoint' },
    summary: type.deprecated === null ? type.type : `${type.type} (deprecated)`,
    description: paragraphs(describe(type), earlierVersions(type, reference)),
    ...(type.deprecated === null ? {} : { tags: [{ name: 'deprecated' }] }),
    bindings: { http: { method: 'POST' } },
    messages: type.versions
      .toReversed()
      .map(({ version }) => ({ $ref: `#/channels/endpoint/messages/${reference(version)}` })),
    reply: {
      channel: { $ref: '#/channels/answer' },
      messages: answers.map(({ key }) => ({ $ref: `#/channels/answer/messages/${key}` })),
    },
  };
}

function messageOf(type: DocumentedType, { version, examples }: DocumentedVersion, isNewest: boolean): JsonObject {
  const key = versionKey(type.type, version);
  return {
    name: type.type,
    title: `${type.type}, version ${version}${isNewest ? '' : ' (earlier)'}`,
    ...(type.deprecated === null ? {} : { tags: [{ name: 'deprecated' }] }),
    traits: [{ $ref: '#/components/messageTraits/webhook' }],
    payload: formOf(schemaKeys.cloudEvent, type.type, key),
    examples: examples.map((data) => ({ payload: exampleEvent(type.type, data) })),
  };
}

function answerMessage({ status, description, retryAfter }: (typeof answers)[number]): JsonObject {
  const statusCode = status === '2XX' ? 204 : status === null ? 500 : Number(status);
  const headers = { type: 'object', properties: { 'retry-after': { type: 'string', description: retryAfter } } };
  return {
    title: `${status ?? 'any other status'}`,
    description,
    ...(retryAfter === null ? {} : { headers }),
    bindings: { http: { statusCode, bindingVersion: '0.3.0' } },
  };
}
