import { z } from 'zod';
import { identifier, listQuery, plainText, time } from '../http/list-query.js';

export const deliveryStatus = z.enum(['pending', 'halted', 'delivered', 'dead-lettered', 'dropped']).meta({
  description: 'pending: it will be tried again. halted: it waits until someone decides.',
  example: 'delivered',
});

export const listDeliveriesQuery = z.strictObject({
  tenantId: identifier('Only those of this tenant.', 'acme').optional(),
  endpointId: identifier('Only those to this endpoint.', 'ep_019ab3f2c41e7c3f9d1f2a7c5b6e8d90').optional(),
  status: deliveryStatus.optional(),
  eventType: identifier('Only those of this event type.', 'task.updated').optional(),
  eventId: identifier('Only those of events with this id.', 'e-1').optional(),
  eventSource: identifier('Only those of events from this source.', '/tasks').optional(),
  webhookId: identifier('Only those that receivers see under this id.', 'msg_2b7c0f3e9a6d4d0c').optional(),
  orderingKey: identifier('Only those with this ordering key.', 'task-17').optional(),
  responseCode: z
    .string()
    .regex(/^[1-5]\d\d$/, 'Must be an HTTP status')
    .transform(Number)
    .pipe(z.int().min(100).max(599))
    .optional()
    .meta({ description: 'Only those last answered with this HTTP status.', example: 503 }),
  errorKind: identifier('Only those whose last error is of this kind.', 'timeout').optional(),
  error: plainText(200)
    .regex(/[\p{L}\p{N}]/u, 'Must hold a word or a number')
    .optional()
    .meta({
      description: 'Words, or beginnings of words, of the last error; all of them must be there.',
      example: 'certificate expired',
    }),
  from: time('Only those of events accepted at this time or later.').optional(),
  to: time('Only those of events accepted before this time.').optional(),
  ...listQuery,
});

export const listAttemptsQuery = z.strictObject(listQuery);

export const endpointStatsQuery = z.strictObject({
  tenantId: identifier('Only endpoints of this tenant.', 'acme').optional(),
});

export type ListDeliveriesQuery = z.output<typeof listDeliveriesQuery>;
export type ListAttemptsQuery = z.output<typeof listAttemptsQuery>;
