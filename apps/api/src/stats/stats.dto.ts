import { z } from 'zod';
import { identifier, listQuery, time } from '../http/list-query.js';
import { instant, pageOf } from '../http/page-answer.js';

export const statsQuery = z.strictObject({
  tenantId: identifier('Only those of this tenant.', 'acme').optional(),
  endpointId: identifier('Only those to this endpoint.', 'ep_019ab3f2c41e7c3f9d1f2a7c5b6e8d90').optional(),
  eventType: identifier('Only those of this event type.', 'task.updated').optional(),
  from: time(
    'Where the time begins; by default a day before `to`. Moved back to the begin of an hour, or day.',
  ).optional(),
  to: time('Where it ends; by default now. Moved on to the end of an hour, or day.').optional(),
  bucket: z.enum(['hour', 'day', 'all']).default('hour').meta({
    description: 'How long a bucket is; `all`: as long as the whole time. Hours and days are of UTC.',
    example: 'hour',
  }),
  by: z.enum(['tenant', 'endpoint', 'eventType']).optional().meta({
    description: 'Divides each bucket.',
    example: 'endpoint',
  }),
  ...listQuery,
});

const latency = z.int().nullable().meta({
  description: 'Milliseconds from the acceptance of a live event to its success, exact to a factor of √2; null: none.',
  example: 120,
});

const statsAnswer = z
  .object({
    start: instant,
    key: z.string().nullable().meta({ description: 'What `by` divides by; null without it.', example: 'task.updated' }),
    attempts: z.int().meta({ description: 'POSTs, in the hour in which their outcome was recorded.', example: 1_203 }),
    failed: z.int().meta({ description: 'POSTs without success.', example: 3 }),
    delivered: z.int().meta({ description: 'Deliveries that succeeded.', example: 1_200 }),
    deadLettered: z.int().meta({ description: 'Deliveries that were given up.', example: 1 }),
    dropped: z.int().meta({ description: 'Deliveries that were called off.', example: 0 }),
    latencyP50Ms: latency,
    latencyP95Ms: latency,
  })
  .meta({ id: 'Stats' });

export const statsPage = pageOf(statsAnswer).extend({
  from: instant.meta({ description: 'Where the time begins.' }),
  to: instant.meta({ description: 'Where it ends.' }),
});

export type StatsPage = z.output<typeof statsPage>;
