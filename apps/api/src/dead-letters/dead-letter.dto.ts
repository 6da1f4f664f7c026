import { z } from 'zod';
import { identifier, listQuery, plainText } from '../http/list-query.js';

const time = (description: string) =>
  z.iso
    .datetime({ offset: true })
    .transform((text) => Date.parse(text))
    .meta({ description, example: '2026-11-23T19:30:00.000Z' });

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

const state = z.enum(['open', 'discarded', 'replayed']).meta({
  description: 'open: nothing was done about it yet. replayed: sent again, as another delivery.',
  example: 'open',
});
const reason = plainText(500).trim().min(1).meta({
  description: 'Why nothing will be done about it, for people.',
  example: 'Test data of the old integration',
});

export const listDeadLettersQuery = z.strictObject({ ...filters, state: state.optional(), ...listQuery });

export const discardBody = z.strictObject({ reason }).meta({ id: 'DiscardDeadLetter' });

export const discardAllBody = z
  .strictObject({
    // Not all there are by mistake.
    filter: z
      .strictObject(filters)
      .refine((given) => Object.values(given).some((one) => one !== undefined), 'Must narrow by something'),
    reason,
  })
  .meta({ id: 'DiscardDeadLetters', description: 'All open dead letters that match the whole filter.' });

export type ListDeadLettersQuery = z.output<typeof listDeadLettersQuery>;
export type DiscardBody = z.output<typeof discardBody>;
export type DiscardAllBody = z.output<typeof discardAllBody>;
