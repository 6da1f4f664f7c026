/** The routes that no controller of the API has: ingest, which is Fastify's own, and those outside of /v1. */
import { z } from 'zod';
import type { ProblemCode } from '../problem/app-error.js';
import { documentAnswer } from '../event-types/event-type-answers.js';
import type { JsonSchema, JsonSchemas } from './json-schema.js';

const cloudEvent = z
  .looseObject({
    specversion: z.literal('1.0'),
    id: z.string().min(1).meta({ example: 'e-1' }),
    source: z.string().min(1).meta({ example: '/tasks' }),
    type: z.string().min(1).meta({ example: 'task.updated' }),
    subject: z.string().optional().meta({ example: 'task/17' }),
    time: z.iso.datetime({ offset: true }).optional(),
    tenantid: z.string().optional().meta({ description: 'Whose event it is.', example: 'acme' }),
    partitionkey: z.string().optional().meta({ description: 'Its ordering key.', example: 'task-17' }),
    data: z
      .unknown()
      .optional()
      .meta({ example: { id: 't17', title: 'Buy milk' } }),
  })
  .meta({ id: 'CloudEvent', description: 'CloudEvents 1.0 in the JSON format.' });

const accepted = z.object({
  accepted: z.array(
    z.object({
      id: z.string().meta({ example: 'e-1' }),
      source: z.string().meta({ example: '/tasks' }),
      type: z.string().meta({ example: 'task.updated' }),
      repeat: z.boolean().optional().meta({ description: 'It was in the log already; it is not sent again.' }),
    }),
  ),
});

/** POST /v1/events. What it refuses beside what every route does is under `problems`. */
export function eventsRoute(
  schemas: JsonSchemas,
  headers: JsonSchema,
): JsonSchema & { readonly problems: readonly ProblemCode[]; readonly responses: Record<string, JsonSchema> } {
  const event = schemas.input(cloudEvent);
  const example = {
    specversion: '1.0',
    id: 'e-1',
    source: '/tasks',
    type: 'task.updated',
    subject: 'task/17',
    tenantid: 'acme',
    data: { id: 't17', title: 'Buy milk' },
  };
  return {
    operationId: 'sendEvents',
    summary: 'Append events to the log',
    description:
      'CloudEvents 1.0: structured, a batch, or binary (any other content type, with the attributes as `ce-` headers). Send again what was not acknowledged: an event is known by its source and id. Needs `events:write`.',
    tags: ['events'],
    'x-scope': 'events:write',
    requestBody: {
      required: true,
      content: {
        'application/cloudevents+json': { schema: event, example },
        'application/cloudevents-batch+json': {
          schema: { type: 'array', items: event, maxItems: 1_000 },
          example: [example],
        },
        '*/*': { schema: {} },
      },
    },
    responses: {
      202: {
        description: 'The log has them.',
        headers,
        content: {
          'application/json': {
            schema: schemas.output(accepted),
            example: { accepted: [{ id: 'e-1', source: '/tasks', type: 'task.updated' }] },
          },
        },
      },
    },
    problems: [
      'malformed',
      'too-large',
      'unsupported-content-type',
      'missing-attribute',
      'invalid-attribute',
      'unknown-event-type',
      'schema-mismatch',
      'invalid-data',
      'unknown-tenant',
      'invalid-events',
      'broker-unavailable',
      'registry-unavailable',
      'partition-stopped',
      'overloaded',
    ],
  };
}

const alive = z.object({ status: z.literal('alive') });
const readiness = z
  .object({
    ready: z.boolean().meta({ example: true }),
    checks: z.record(z.string(), z.string()).meta({
      description: '`ok`, or what is the matter.',
      example: { kafka: 'ok', postgres: 'ok' },
    }),
  })
  .meta({ id: 'Readiness' });

/** Without a key. */
export function plainRoutes(schemas: JsonSchemas): { readonly path: string; readonly operation: JsonSchema }[] {
  const json = (answer: z.ZodType, example: unknown): JsonSchema => ({
    content: { 'application/json': { schema: schemas.output(answer), example } },
  });
  const text = (type: string): JsonSchema => ({ content: { [type]: { schema: { type: 'string' } } } });
  const route = (path: string, operationId: string, summary: string, responses: JsonSchema) => ({
    path,
    operation: { operationId, summary, tags: ['service'], security: [], responses },
  });
  const ready = { ready: true, checks: { kafka: 'ok', postgres: 'ok' } };
  return [
    route('/healthz', 'getHealth', 'Whether the process lives', {
      200: { description: 'It does.', ...json(alive, { status: 'alive' }) },
    }),
    route('/readyz', 'getReadiness', 'Whether it can do its work', {
      200: { description: 'It can.', ...json(readiness, ready) },
      503: {
        description: 'It cannot.',
        ...json(readiness, { ready: false, checks: { kafka: 'it does not answer', postgres: 'ok' } }),
      },
    }),
    route('/metrics', 'getMetrics', 'Numbers for Prometheus', {
      200: { description: 'Prometheus text.', ...text('text/plain') },
    }),
    route('/openapi.json', 'getOpenApi', 'This document', {
      200: { description: 'OpenAPI 3.1.', ...json(documentAnswer, { openapi: '3.1.1' }) },
    }),
    route('/docs', 'getDocs', 'This document as a page', {
      200: { description: 'HTML.', ...text('text/html') },
    }),
  ];
}
