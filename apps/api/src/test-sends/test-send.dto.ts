import { z } from 'zod';
import { deliveryId } from '../deliveries/delivery-answers.js';
import { instant } from '../http/page-answer.js';

export const sendTestBody = z
  .strictObject({
    type: z.string().min(1).max(255).optional().meta({
      description: 'An event type that the endpoint wants. Without it, the first of them.',
      example: 'task.updated',
    }),
    data: z
      .unknown()
      .optional()
      .meta({
        description: 'As the endpoint gets it, in its version of the type. Without it, an example of the type.',
        example: { id: 't17', title: 'Buy milk' },
      }),
    source: z
      .string()
      .min(1)
      .max(1_000)
      .default('/posthorn/test')
      .meta({ description: 'CloudEvents `source`.', example: '/tasks' }),
    subject: z.string().min(1).max(1_000).optional().meta({ example: 'task/17' }),
    time: z.iso
      .datetime({ offset: true })
      .optional()
      .meta({ description: 'Without it, now.', example: '2026-11-23T19:30:00.000Z' }),
  })
  .meta({ id: 'SendTest', description: 'What a test sends; `{}` is an example of something that the endpoint wants.' });

export type SendTestBody = z.output<typeof sendTestBody>;

const headers = z.record(z.string(), z.string());

export const testAnswer = z
  .object({
    outcome: z.enum(['delivered', 'failed', 'cancelled']).meta({
      description:
        'delivered: answered with 2xx. failed: with something else, or not at all; `error` tells why nothing came. cancelled: by the transformation of the endpoint; nothing was sent.',
    }),
    deliveryId: deliveryId.nullable().meta({
      description: 'Where it stands in the delivery log, in a moment; null: nothing was sent.',
      example: 'ep_019ab3f2c41e7c3f9d1f2a7c5b6e8d90.test:019ab3f2c41e7c3f9d1f2a7c5b6e8d91.0.0.0',
    }),
    event: z.object({
      id: z.string().meta({ example: 'test_019ab3f2c41e7c3f9d1f2a7c5b6e8d91' }),
      source: z.string().meta({ example: '/posthorn/test' }),
      type: z.string().meta({ example: 'task.updated' }),
      version: z.int().meta({ description: 'The one that the endpoint gets of the type.', example: 2 }),
    }),
    passesFilters: z
      .boolean()
      .meta({ description: 'Whether the endpoint would get such an event. A test is sent in any case.' }),
    startedAt: instant.nullable(),
    durationMs: z.number().nullable().meta({ example: 41 }),
    request: z
      .object({
        url: z.string().meta({ example: 'https://example.com/hooks' }),
        headers: headers.meta({
          description: 'Without credentials.',
          example: { 'content-type': 'application/json', 'posthorn-test': 'true' },
        }),
        body: z.string().meta({ description: 'What was signed.', example: '{"id":"t17"}' }),
      })
      .nullable()
      .meta({ description: 'Null: there was none.' }),
    response: z
      .object({
        status: z.int().meta({ example: 200 }),
        headers: headers.meta({ example: { 'content-type': 'text/plain' } }),
        body: z.string().meta({ description: 'First 4 KiB, as UTF-8; what is not UTF-8 is replaced.', example: 'ok' }),
        truncated: z.boolean(),
      })
      .nullable()
      .meta({ description: 'Null: none came.' }),
    error: z
      .object({
        kind: z.string().meta({ example: 'timeout' }),
        message: z.string().meta({ example: 'no answer in time' }),
      })
      .nullable(),
  })
  .meta({ id: 'TestResult' });

export type TestAnswer = z.output<typeof testAnswer>;
