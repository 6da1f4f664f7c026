/** What is answered of event types, for the OpenAPI document. */
import { z } from 'zod';
import type { DifferenceAnswer, EventTypeAnswer } from './event-types.js';

const version = z.int().meta({ example: 2 });
const type = z.string().meta({ example: 'task.updated' });
export const lifeOfType = {
  status: z.enum(['active', 'deprecated']).meta({ example: 'active' }),
  deprecated: z.object({ since: z.string().nullable(), successor: z.string().nullable() }).nullable(),
};

export const eventTypeAnswer = z
  .object({
    type,
    description: z.string().nullable().meta({ description: '`doc` of its newest version.' }),
    owner: z.string().nullable().meta({ example: 'tasks' }),
    ...lifeOfType,
    newest: version,
    versions: z.array(version).meta({ description: 'Numbers of all, lowest first.' }),
  })
  .meta({ id: 'EventType' }) satisfies z.ZodType<EventTypeAnswer>;

const differenceFields = {
  from: version,
  to: version,
  changes: z.array(
    z.object({
      path: z.string().meta({ description: 'Of the field, as it is called afterwards.', example: 'assignee' }),
      change: z.enum([
        'added',
        'removed',
        'type-changed',
        'renamed',
        'default-changed',
        'symbols-changed',
        'doc-changed',
      ]),
      detail: z.string(),
    }),
  ),
};
export const differenceAnswer = z
  .object(differenceFields)
  .meta({ id: 'Difference' }) satisfies z.ZodType<DifferenceAnswer>;
export const typeDifferenceAnswer = z.object({ type, ...differenceFields }).meta({ id: 'EventTypeDifference' });

export const eventVersionAnswer = z
  .object({
    type,
    version,
    newest: version,
    schemaId: z.int().meta({ description: 'In the registry.', example: 7 }),
    avro: z.record(z.string(), z.unknown()),
    shape: z
      .record(z.string(), z.unknown())
      .meta({ description: 'JSON Schema (2020-12) of the data as endpoints receive it.' }),
    examples: z.array(z.unknown()),
    difference: differenceAnswer.nullable().meta({ description: 'From the version before; null of the first.' }),
  })
  .meta({ id: 'EventTypeVersion' });

/** A whole document of another kind. */
export const documentAnswer = z.record(z.string(), z.unknown());
