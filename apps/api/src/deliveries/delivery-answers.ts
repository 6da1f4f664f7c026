/** What the delivery log answers, for the OpenAPI document. */
import { z } from 'zod';
import { retryAnswer } from '../endpoints/retry.dto.js';
import { instant } from '../http/page-answer.js';
import type { DeliveryAnswer, DeliveryWithAttempts, EndpointStatsAnswer } from './deliveries.js';
import { deliveryStatus } from './delivery.dto.js';

export const deliveryId = z.string().meta({
  description: 'Endpoint, stream, log incarnation, source partition and offset.',
  example: 'ep_019ab3f2c41e7c3f9d1f2a7c5b6e8d90.live.0.3.1287',
});
const endpointId = z.string().meta({ example: 'ep_019ab3f2c41e7c3f9d1f2a7c5b6e8d90' });
const fault = z
  .object({ kind: z.string().meta({ example: 'timeout' }), message: z.string().meta({ example: 'no answer in time' }) })
  .nullable();
const httpStatus = z.int().meta({ example: 200 });

/** What deliveries and dead letters have in common. */
export const deliveryFields = {
  webhookId: z
    .string()
    .meta({ description: 'The same over retries and replays.', example: 'msg_2b7c0f3e9a6d4d0c8f1e5a7b3c9d2e4f' }),
  tenantId: z.string().meta({ example: 'acme' }),
  endpointId,
  stream: z.string().meta({ description: '`live`, or which replay or test.', example: 'live' }),
  event: z.object({
    id: z.string().meta({ example: 'e-1' }),
    source: z.string().meta({ example: '/tasks' }),
    type: z.string().meta({ example: 'task.updated' }),
  }),
  attemptCount: z.int().meta({ description: 'POSTs so far.', example: 1 }),
  acceptedAt: instant,
  dispatchedAt: instant,
  firstAttemptAt: instant.nullable(),
  lastAttemptAt: instant.nullable(),
  lastStatus: httpStatus.nullable(),
  lastError: fault,
  orderingKey: z.string().nullable().meta({ example: 'task-17' }),
};

const delivery = {
  id: deliveryId,
  ...deliveryFields,
  status: deliveryStatus,
  completedAt: instant.nullable(),
  nextAttemptAt: instant.nullable(),
  haltedAt: instant.nullable(),
  deadLetterReason: z.string().nullable().meta({ example: 'exhausted' }),
};

export const attempt = z
  .object({
    number: z.int().meta({ example: 1 }),
    startedAt: instant,
    durationMs: z.number().meta({ example: 41 }),
    url: z.string().meta({ example: 'https://example.com/hooks' }),
    requestHeaders: z.record(z.string(), z.string()).meta({ example: { 'content-type': 'application/json' } }),
    response: z
      .object({
        status: httpStatus,
        headers: z.record(z.string(), z.string()).meta({ example: { 'content-type': 'text/plain' } }),
        body: z.string().meta({ description: 'First 4 KiB, as UTF-8; what is not UTF-8 is replaced.', example: 'ok' }),
        truncated: z.boolean(),
      })
      .nullable(),
    error: fault,
    outcome: z.enum(['delivered', 'retry', 'deadLetter', 'disable', 'dropped', 'halted', 'started']),
    final: z.boolean(),
    deadLetterReason: z.string().nullable(),
    dueAt: instant.nullable().meta({ description: 'When the next one is due.' }),
    workerId: z.string(),
    configVersion: z.int().meta({ description: 'Offset of the configuration that it was made with.', example: 418 }),
    batch: z
      .object({
        id: z.string().meta({ description: "The POST's `webhook-id`." }),
        size: z.int().meta({ description: 'Events in it.', example: 12 }),
        place: z.int().meta({ description: 'Which of them this was, from 0.', example: 0 }),
      })
      .nullable()
      .meta({ description: 'Null: it went alone.' }),
    configuration: z
      .object({
        revision: z.int().meta({ example: 3 }),
        url: z.string().meta({ example: 'https://example.com/hooks' }),
        ordering: z.enum(['none', 'key', 'endpoint']),
        retry: retryAnswer,
        secretIds: z.array(z.string()).meta({ description: 'Those that signed.' }),
      })
      .nullable()
      .meta({ description: 'Null: not known, as with attempts that are older than the history of the endpoint.' }),
  })
  .meta({ id: 'Attempt' });

export const attempts = z.array(attempt).meta({ description: 'In the order of the log.' });

export const deliveryAnswer = z.object(delivery).meta({ id: 'Delivery' }) satisfies z.ZodType<DeliveryAnswer>;
export const deliveryWithAttempts = z
  .object({ ...delivery, attempts })
  .meta({ id: 'DeliveryWithAttempts' }) satisfies z.ZodType<DeliveryWithAttempts>;

const amount = z.int().meta({ example: 10 });
const endpointStats = z
  .object({
    endpointId,
    matched: amount,
    delivered: amount,
    retried: amount.meta({ description: 'Needed more than one POST.' }),
    deadLettered: amount,
    dropped: amount,
    pending: amount,
    halted: amount,
    latencyP50Ms: z
      .number()
      .nullable()
      .meta({ description: 'From the acceptance of the event to the first 2xx; null: there was none.', example: 84 }),
    latencyP95Ms: z.number().nullable().meta({ example: 310 }),
  })
  .meta({ id: 'EndpointStats' }) satisfies z.ZodType<EndpointStatsAnswer>;
export const statsAnswer = z.object({ data: z.array(endpointStats) });
