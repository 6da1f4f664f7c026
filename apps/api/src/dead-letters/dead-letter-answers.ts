/** What is answered of dead letters, for the OpenAPI document. */
import { z } from 'zod';
import { attempts, deliveryFields, deliveryId } from '../deliveries/delivery-answers.js';
import { instant } from '../http/page-answer.js';
import { state } from './dead-letter.dto.js';
import type { DeadLetterAnswer, DeadLetterStory } from './dead-letters.js';

const deadLetter = {
  deliveryId,
  ...deliveryFields,
  reason: z.string().nullable().meta({ example: 'exhausted' }),
  deadLetteredAt: instant.nullable().meta({ description: 'When it was given up.' }),
  state,
  resolution: z
    .object({
      at: instant,
      reason: z.string().nullable(),
      replayId: z.string().nullable(),
      actor: z.string().nullable(),
    })
    .nullable()
    .meta({ description: 'What was done about it; null while it is open.' }),
  place: z
    .object({ topic: z.string(), partition: z.int(), offset: z.int() })
    .nullable()
    .meta({ description: 'Where its record stands in the log; null for a moment, until that is known.' }),
};

export const deadLetterAnswer = z.object(deadLetter).meta({ id: 'DeadLetter' }) satisfies z.ZodType<DeadLetterAnswer>;
export const deadLetterStory = z
  .object({ ...deadLetter, attempts })
  .meta({ id: 'DeadLetterWithAttempts' }) satisfies z.ZodType<DeadLetterStory>;
export const discardedAnswer = z.object({ discarded: z.int().meta({ example: 12 }) });
