import { z } from 'zod';
import { isEventType } from '#libs/core';
import { tenantId } from '../tenants/tenant.dto.js';
import { filtersField } from './filters-field.js';

const mostEvents = 100;

export const testFiltersBody = z
  .strictObject({
    filters: filtersField,
    event: z
      .unknown()
      .optional()
      .meta({ description: 'A CloudEvent in the JSON format, of a registered type; it is not kept.' }),
    version: z
      .union([z.int().min(1), z.literal('latest')], { error: 'Must be the number of a version, or `latest`' })
      .default('latest')
      .meta({ description: "Version of the type's data that the filters look at.", example: 2 }),
    tenantId: tenantId.optional(),
    type: z
      .string()
      .refine(isEventType, 'Must be an event type')
      .optional()
      .meta({ description: 'Exactly this one.', example: 'task.updated' }),
    last: z
      .int()
      .min(1)
      .max(mostEvents)
      .optional()
      .meta({ description: 'So many of the latest events of the type.', example: 20 }),
  })
  .superRefine((body, context) => {
    const fault = (field: string, message: string, code: string): void =>
      context.addIssue({ code: 'custom', message, path: [field], params: { code } });
    const ofLog = ['tenantId', 'type', 'last'] as const;
    if (body.event !== undefined) {
      for (const field of ofLog) if (body[field] !== undefined) fault(field, 'Not together with event', 'not-here');
      return;
    }
    for (const field of ofLog)
      if (body[field] === undefined) fault(field, 'It must be given, or event instead', 'required');
  })
  .meta({ id: 'TestFilters', description: 'Filters, and the events that they are tried on.' });

export const filterTestAnswer = z
  .object({
    results: z
      .array(
        z.object({
          id: z.string(),
          source: z.string(),
          type: z.string(),
          time: z.string().nullable(),
          match: z.boolean(),
          error: z.string().nullable().meta({ description: 'Why it could not be said: no match then.' }),
        }),
      )
      .meta({ description: 'Latest first.' }),
    totals: z.object({
      events: z.int(),
      matched: z.int(),
      errors: z.int(),
      rejected: z
        .int()
        .meta({ description: 'Events whose data is not of their type or cannot be had in this version.' }),
    }),
    lookedBack: z
      .object({
        records: z.int().meta({ description: 'Of all types and tenants.' }),
        since: z.iso
          .datetime()
          .nullable()
          .meta({ description: 'Everything appended since then was looked at; null: all that the log holds.' }),
        partial: z.boolean().meta({ description: 'The search ended early: more of them may be further back.' }),
      })
      .nullable(),
  })
  .meta({ id: 'FilterTest' });

export type TestFiltersBody = z.output<typeof testFiltersBody>;
export type FilterTestAnswer = z.output<typeof filterTestAnswer>;
