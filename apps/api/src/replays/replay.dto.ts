import { z } from 'zod';
import { parseAttributeFilter } from '#libs/core';
import { eventTypes } from '../endpoints/endpoint.dto.js';
import { rateLimitPatch } from '../endpoints/flow.dto.js';
import { identifier, listQuery, plainText, time } from '../http/list-query.js';
import { tenantId } from '../tenants/tenant.dto.js';

const offset = z.int().min(0);
const mostPartitions = 10_000;

/** How it is to be sent; the same for every way to begin a replay. */
export const howToSend = {
  rateLimit: rateLimitPatch.nullable().optional().meta({ description: 'Of each endpoint, beside its own.' }),
  newIds: z.boolean().optional().meta({ description: 'Whether receivers see new webhook-ids.', example: false }),
  description: plainText(500).nullable().optional().meta({ description: 'For people.', example: 'After the outage' }),
};

const filter = z
  .unknown()
  .superRefine((given, context) => {
    if (given === undefined || given === null) return;
    const parsed = parseAttributeFilter(given);
    if (parsed.ok) return;
    for (const { pointer, code, detail } of parsed.faults) {
      const path = pointer
        .split('/')
        .slice(1)
        .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
      context.addIssue({ code: 'custom', message: detail, path, params: { code } });
    }
  })
  .meta({
    description: 'Over attributes, as in the CloudEvents Subscriptions API; an array: all must match.',
    example: { not: { exact: { subject: 'p1' } } },
  });

const partitionWindow = z
  .strictObject({ partition: z.int().min(0), from: offset, to: offset.optional() })
  .refine(({ from, to }) => to === undefined || from < to, { message: 'Must be beyond from', path: ['to'] });

export const createReplayBody = z
  .strictObject({
    tenantId,
    endpointIds: z
      .array(identifier('Of the tenant.', 'ep_019ab3f2c41e7c3f9d1f2a7c5b6e8d90'))
      .min(1)
      .max(1_000)
      .optional()
      .meta({
        description: 'By default every endpoint of the tenant.',
        example: ['ep_019ab3f2c41e7c3f9d1f2a7c5b6e8d90'],
      }),
    source: z
      .enum(['events', 'dead-letters'])
      .optional()
      .meta({ description: 'What is sent again.', example: 'events' }),
    from: time('Of events: appended at this time or later. Of dead letters: given up then or later.').optional(),
    to: time('Before this time; by default, up to now.').optional(),
    partitions: z
      .array(partitionWindow)
      .min(1)
      .max(mostPartitions)
      .optional()
      .meta({ description: 'Offsets instead of times; `to` is not among them.' }),
    eventTypes: eventTypes.optional(),
    filter: filter.optional(),
    asConfigured: z
      .enum(['now', 'then'])
      .optional()
      .meta({ description: 'Which subscriptions count: those of now, or of when an event came.', example: 'now' }),
    dryRun: z.boolean().optional().meta({ description: 'Only say what would be sent.', example: true }),
    ...howToSend,
  })
  .superRefine((body, context) => {
    const fault = (field: string, message: string, code: string): void =>
      context.addIssue({ code: 'custom', message, path: [field], params: { code } });
    const { source, from, to, partitions } = body;
    if (from !== undefined && to !== undefined && from >= to) fault('to', 'Must be later than from', 'invalid');
    if (source === 'dead-letters') {
      if (partitions !== undefined) fault('partitions', 'Only with source events', 'not-here');
      if (body.filter !== undefined)
        fault('filter', 'Only with source events: a dead letter has no attributes', 'not-here');
      if (body.asConfigured === 'then') fault('asConfigured', 'Only with source events', 'not-here');
      return;
    }
    if (partitions === undefined) {
      if (from === undefined) fault('from', 'It must be given, or partitions', 'required');
      return;
    }
    if (from !== undefined) fault('from', 'Not together with partitions', 'not-here');
    if (to !== undefined) fault('to', 'Not together with partitions', 'not-here');
    if (new Set(partitions.map(({ partition }) => partition)).size < partitions.length)
      fault('partitions', 'Must name each partition once', 'invalid');
  })
  .meta({ id: 'CreateReplay', description: 'A window of history, to be sent again.' });

/** JSON merge patch (RFC 7396). */
export const patchReplayBody = z
  .strictObject({ rateLimit: howToSend.rateLimit })
  .meta({ id: 'PatchReplay', description: 'Changes of a replay.' });

export const listReplaysQuery = z.strictObject({
  tenantId: identifier('Only those of this tenant.', 'acme').optional(),
  state: z
    .enum(['running', 'paused', 'cancelled', 'delivering', 'completed'])
    .optional()
    .meta({ description: 'Only those.', example: 'running' }),
  source: z.enum(['events', 'dead-letters']).optional().meta({ description: 'Only of those.', example: 'events' }),
  endpointId: identifier('Only those that send to this endpoint.', 'ep_019ab3f2c41e7c3f9d1f2a7c5b6e8d90').optional(),
  from: time('Only those created at this time or later.').optional(),
  to: time('Only those created before this time.').optional(),
  ...listQuery,
});

export const recoverBody = z
  .strictObject({ since: time('What was given up at this time or later.'), ...howToSend })
  .meta({ id: 'Recover', description: 'Everything that failed, from a time on.' });

const howToSendBody = z.strictObject(howToSend).meta({ id: 'Resend' });
/** A body that may be left out. */
export const resendBody = howToSendBody.optional();

export type CreateReplayBody = z.output<typeof createReplayBody>;
export type PatchReplayBody = z.output<typeof patchReplayBody>;
export type HowToSend = z.output<typeof howToSendBody>;
