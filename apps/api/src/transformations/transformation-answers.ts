/** What is answered of transformations, for the OpenAPI document. */
import { z } from 'zod';
import { instant } from '../http/page-answer.js';
import type { TestAnswer } from './transformation-test.js';
import type {
  TransformationAnswer,
  TransformationSummaryAnswer,
  VersionAnswer,
  VersionSummaryAnswer,
} from './transformation.dto.js';

const code = z.string().meta({ example: 'function handler(webhook) { return webhook; }' });
const version = z.int().meta({ example: 3 });
const summary = {
  id: z.string().meta({ example: 'tr_019ab3f2c41e7c3f9d1f2a7c5b6e8d90' }),
  tenantId: z.string().meta({ example: 'acme' }),
  name: z.string().meta({ example: 'Chat messages' }),
  version,
  createdAt: instant,
  updatedAt: instant,
};
const versionSummary = {
  version,
  restoredFrom: z.int().nullable().meta({ description: 'The version whose code came back with it.' }),
  createdAt: instant,
};

export const transformationSummary = z
  .object(summary)
  .meta({ id: 'TransformationSummary' }) satisfies z.ZodType<TransformationSummaryAnswer>;
export const transformationAnswer = z
  .object({ ...summary, code })
  .meta({ id: 'Transformation' }) satisfies z.ZodType<TransformationAnswer>;
export const transformationVersionSummary = z
  .object(versionSummary)
  .meta({ id: 'TransformationVersionSummary' }) satisfies z.ZodType<VersionSummaryAnswer>;
export const transformationVersion = z
  .object({ ...versionSummary, code })
  .meta({ id: 'TransformationVersion' }) satisfies z.ZodType<VersionAnswer>;

/** JSON Patch (RFC 6902). */
export const jsonPatchSchema = z.array(
  z.object({
    op: z.enum(['add', 'replace', 'remove']).meta({ example: 'remove' }),
    path: z.string().meta({ example: '/data/internalNotes' }),
    value: z.unknown().optional(),
  }),
);

const texts = z.record(z.string(), z.string()).meta({ example: { 'content-type': 'application/json' } });
const tried = {
  input: z.object({ payload: z.unknown(), headers: texts }).meta({ description: 'What the handler was given.' }),
  logs: z.array(z.string()),
  cpuMs: z.number().meta({ example: 0.4 }),
};
export const transformationTestAnswer = z
  .union([
    z.object({
      outcome: z.literal('done'),
      ...tried,
      cancelled: z.boolean(),
      payload: z.unknown(),
      headers: texts,
      diff: jsonPatchSchema.meta({ description: 'JSON Patch (RFC 6902) of the payload; empty when cancelled.' }),
    }),
    z.object({
      outcome: z.literal('failed'),
      ...tried,
      error: z.object({
        code: z.string().meta({ example: 'threw' }) as z.ZodType<
          Extract<TestAnswer, { outcome: 'failed' }>['error']['code']
        >,
        message: z.string(),
        line: z.int().nullable(),
      }),
    }),
  ])
  .meta({ id: 'TransformationTest' });
