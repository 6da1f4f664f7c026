import { z } from 'zod';
import { howToSend } from '../replays/replay.dto.js';
import { identifier, listQuery, plainText, time } from '../http/list-query.js';

const filters = {
  tenantId: identifier('Only those of this tenant.', 'acme').optional(),
  endpointId: identifier('Only those to this endpoint.', 'ep_019ab3f2c41e7c3f9d1f2a7c5b6e8d90').optional(),
  eventType: identifier('Only those of this event type.', 'task.updated').optional(),
  reason: identifier('Only those given up for this reason.', 'exhausted').optional(),
  from: time('Only those given up at this time or later.').optional(),
  to: time('Only those given up before this time.').optional(),
  error: plainText(200)
    .regex(/[\p{L}\p{N}]/u, 'Must hold a word or a number')
    .optional()
    .meta({
      description: 'Words, or beginnings of words, of the last error or HTTP status; all of them must be there.',
      example: 'certificate expired',
    }),
};

export const state = z.enum(['open', 'discarded', 'replayed']).meta({
  description: 'open: nothing was done about it yet. replayed: sent again, as another delivery.',
  example: 'open',
});
const reason = plainText(500).trim().min(1).meta({
  description: 'Why nothing will be done about it, for people.',
  example: 'Test data of the old integration',
});

export const listDeadLettersQuery = z.strictObject({ ...filters, state: state.optional(), ...listQuery });

export const discardBody = z.strictObject({ reason }).meta({ id: 'DiscardDeadLetter' });

// Not all there are by mistake.
const narrowingFilter = z
  .strictObject(filters)
  .refine((given) => Object.values(given).some((one) => one !== undefined), 'Must narrow by something');

export const discardAllBody = z
  .strictObject({ filter: narrowingFilter, reason })
  .meta({ id: 'DiscardDeadLetters', description: 'All open dead letters that match the whole filter.' });

export const replayDeadLettersBody = z
  .strictObject({
    deliveryIds: z
      .array(identifier('Of open dead letters.', 'ep_019ab3f2c41e7c3f9d1f2a7c5b6e8d90.live.0.3.1287'))
      .min(1)
      .max(1_000)
      .optional(),
    filter: narrowingFilter.optional(),
    ...howToSend,
  })
  .refine(({ deliveryIds, filter }) => (deliveryIds === undefined) !== (filter === undefined), {
    message: 'Must name either deliveryIds or a filter',
    path: ['filter'],
  })
  .meta({
    id: 'ReplayDeadLetters',
    description: 'Open dead letters: those named, or all that match the whole filter.',
  });

export type ListDeadLettersQuery = z.output<typeof listDeadLettersQuery>;
export type DiscardBody = z.output<typeof discardBody>;
export type DiscardAllBody = z.output<typeof discardAllBody>;
