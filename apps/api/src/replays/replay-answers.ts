/** What is answered of replays, for the OpenAPI document. */
import { z } from 'zod';
import { rateLimitAnswer } from '../endpoints/flow.dto.js';
import { instant } from '../http/page-answer.js';
import type { DryRunAnswer } from './dry-run-answer.js';
import type { ReplayAnswer } from './replay-answer.js';

const amount = z.int().meta({ example: 120 });
const rangeFields = { partition: z.int(), from: z.int(), to: z.int() };

const window = z
  .union([
    z.object({ from: instant.nullable(), to: instant.nullable() }),
    z.object({ partitions: z.array(z.object(rangeFields)) }),
  ])
  .meta({ description: 'As it was asked for: times, or offsets.' });
const gap = z
  .array(
    z.object({
      partition: z.int().nullable().meta({ description: 'Null: not known in which.' }),
      records: z
        .int()
        .nullable()
        .meta({ description: 'Null: not known how many, or whether any; then within this time.' }),
      from: instant.nullable(),
      until: instant.nullable(),
    }),
  )
  .nullable()
  .meta({ description: 'What the log had lost of it already; null: nothing.' });
const source = z.enum(['events', 'dead-letters']).meta({ example: 'events' });
const tenantId = z.string().meta({ example: 'acme' });
const endpointId = z.string().meta({ example: 'ep_019ab3f2c41e7c3f9d1f2a7c5b6e8d90' });

export const replayAnswer = z
  .object({
    id: z.string().meta({ example: 'rp_019ab3f2c41e7c3f9d1f2a7c5b6e8d90' }),
    tenantId,
    source,
    state: z.enum(['running', 'paused', 'cancelled', 'delivering', 'completed']).meta({
      description: '`delivering`: all was sent, not all has its outcome.',
      example: 'running',
    }),
    description: z.string().nullable(),
    endpointIds: z.array(endpointId),
    eventTypes: z.array(z.string()).nullable(),
    filter: z.unknown(),
    selection: z
      .object({
        deliveryIds: z.array(z.string()).nullable(),
        reasons: z.array(z.string()).nullable(),
        from: instant.nullable(),
        to: instant.nullable(),
        error: z.string().nullable(),
      })
      .nullable()
      .meta({ description: 'Of dead letters.' }),
    rateLimit: rateLimitAnswer.nullable(),
    newIds: z.boolean(),
    asConfigured: z.enum(['now', 'then']),
    window,
    partitions: z
      .array(z.object({ ...rangeFields, position: z.int(), done: z.boolean() }))
      .meta({ description: 'As it stands in the log.' }),
    gap,
    progress: z.object({
      scanned: amount.meta({ description: 'Records that were read.' }),
      matched: amount.meta({ description: 'Of these, wanted by an endpoint.' }),
      sent: amount.meta({ description: 'Deliveries: one record may be for several endpoints.' }),
      delivered: amount,
      failed: amount.meta({ description: 'Given up: dead letters of this replay.' }),
      dropped: amount,
      remaining: z.object({ records: amount, deliveries: amount }),
      rate: z.number().meta({ description: 'Deliveries per second that had their outcome in the last minute.' }),
      expectedEnd: instant.nullable().meta({ description: 'Null: not known, or over.' }),
    }),
    revision: z.int().meta({ example: 1 }),
    createdAt: instant,
    updatedAt: instant,
    finishedAt: instant.nullable(),
  })
  .meta({ id: 'Replay' }) satisfies z.ZodType<ReplayAnswer>;

export const dryRunSchema = z
  .object({
    dryRun: z.literal(true),
    tenantId,
    source,
    window,
    partitions: z.array(z.object(rangeFields)),
    gap,
    records: z.object({ inWindow: amount, read: amount }),
    partial: z.boolean().meta({
      description:
        'Not all was read in the time that a dry run may take: `deliveries` extrapolates, `counts` is what was found.',
    }),
    deliveries: amount,
    counts: z
      .array(z.object({ endpointId, eventType: z.string(), deliveries: amount }))
      .meta({ description: 'Most first; of very many the first only.' }),
    repeats: amount,
    rejected: amount,
    samples: z.array(
      z.object({
        endpointId,
        event: z.object({ id: z.string(), source: z.string(), type: z.string(), time: z.string().nullable() }),
        partition: z.int(),
        offset: z.int(),
        appendedAt: instant,
      }),
    ),
    estimate: z.object({
      seconds: z.number().meta({ example: 12 }),
      basis: z.enum(['rate-limit', 'assumption']),
      perSecond: z.number().meta({ example: 500 }),
    }),
  })
  .meta({ id: 'DryRun' }) satisfies z.ZodType<DryRunAnswer>;
