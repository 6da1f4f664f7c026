import { z } from 'zod';
import { identifier, listQuery, plainText, words } from '../http/list-query.js';
import { tenantId } from '../tenants/tenant.dto.js';

const maxCodeBytes = 64 * 1024;

const code = z
  .string()
  .superRefine((text, context) => {
    if (Buffer.byteLength(text) > maxCodeBytes) {
      context.addIssue({
        code: 'custom',
        params: { code: 'too-big' },
        message: `Must be at most ${maxCodeBytes} bytes`,
      });
    } else if (text.includes('\0') || !text.isWellFormed()) {
      context.addIssue({ code: 'custom', message: 'Must be text, without NUL characters' });
    }
  })
  .meta({
    description: 'JavaScript with a function `handler(webhook)` (docs/transformations.md).',
    example: 'function handler(webhook) {\n  delete webhook.payload.data.internalNotes;\n  return webhook;\n}\n',
  });
const name = plainText(200).trim().min(1).meta({ description: 'For people.', example: 'Chat messages' });
const version = z.int().min(1).max(2_147_483_647).meta({ description: 'Counts the changes of the code.', example: 3 });

export const createTransformationBody = z
  .strictObject({ tenantId, name, code })
  .meta({ id: 'CreateTransformation', description: 'Code that changes what endpoints of a tenant receive.' });

/** JSON merge patch: what is absent stays. */
export const patchTransformationBody = z
  .strictObject({ name: name.optional(), code: code.optional() })
  .meta({ id: 'PatchTransformation', description: 'Other code is a new version.' });

export const listTransformationsQuery = z.strictObject({
  tenantId: identifier('Only those of this tenant.', 'acme').optional(),
  name: words('the name', 'slack').optional(),
  ...listQuery,
});

export const listVersionsQuery = z.strictObject(listQuery);

/** A number out of the path; null when it cannot be a version. */
export function versionOf(text: string): number | null {
  const parsed = version.safeParse(/^\d{1,10}$/.test(text) ? Number(text) : Number.NaN);
  return parsed.success ? parsed.data : null;
}

export const testTransformationBody = z
  .strictObject({
    code: code.optional(),
    transformationId: identifier('In place of code.', 'tr_019ab3f2c41e7c3f9d1f2a7c5b6e8d90').optional(),
    version: version.optional().meta({ description: 'Of the transformation; the newest without it.' }),
    event: z
      .record(z.string(), z.unknown())
      .optional()
      .meta({ description: 'A CloudEvent in JSON, with data: the payload is what `format` makes of it.' }),
    payload: z.unknown().optional().meta({ description: 'In place of an event: the payload itself.' }),
    eventType: identifier('With payload.', 'task.updated').optional(),
    format: z
      .enum(['structured', 'binary', 'standard', 'data'])
      .optional()
      .meta({ description: 'Default: structured.' }),
  })
  .superRefine((body, context) => {
    const refuse = (field: string, message: string) => context.addIssue({ code: 'custom', path: [field], message });
    if ((body.code === undefined) === (body.transformationId === undefined)) {
      refuse('code', 'Give either code or transformationId');
    }
    if (body.version !== undefined && body.transformationId === undefined)
      refuse('version', 'Give it with transformationId');
    if ((body.event === undefined) === (body.payload === undefined)) refuse('event', 'Give either event or payload');
    if (body.payload !== undefined && body.eventType === undefined) refuse('eventType', 'Give it with payload');
    if (body.payload !== undefined && body.format !== undefined) refuse('format', 'Give it with event');
    if (body.event !== undefined && body.eventType !== undefined) refuse('eventType', 'The event has its own');
  })
  .meta({ id: 'TestTransformation', description: 'What code makes of an event, without sending anything.' });

export type TestTransformationBody = z.output<typeof testTransformationBody>;

export interface TransformationSummaryAnswer {
  readonly id: string;
  readonly tenantId: string;
  readonly name: string;
  readonly version: number;
  readonly createdAt: string;
  readonly updatedAt: string;
}

export interface TransformationAnswer extends TransformationSummaryAnswer {
  readonly code: string;
}

export interface VersionSummaryAnswer {
  readonly version: number;
  readonly restoredFrom: number | null;
  readonly createdAt: string;
}

export interface VersionAnswer extends VersionSummaryAnswer {
  readonly code: string;
}
