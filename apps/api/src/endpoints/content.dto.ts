import { z } from 'zod';
import { customHeaderBounds, customHeaderNameFault, customHeaderValueFault } from '#libs/core';
import { patchOf } from './members.js';

export const format = z.enum(['structured', 'binary', 'standard', 'data']).meta({
  description:
    'CloudEvents structured or binary, the payload of Standard Webhooks (`type`, `timestamp`, `data`), or the bare data.',
  example: 'structured',
});
export const compression = z
  .enum(['none', 'gzip'])
  .meta({ description: 'Of request bodies from 1 KiB on. What is signed is the body before it.', example: 'none' });

const header = (name: string, value: string): { at: string; message: string }[] => {
  const faults = [customHeaderNameFault(name), customHeaderValueFault(value)];
  return faults.flatMap((fault) => (fault === null ? [] : [{ at: name, message: `The header ${name} ${fault}` }]));
};

/** Names in lower case, as they are stored and sent. */
export const headers = z
  .record(z.string(), z.string())
  .superRefine((given, context) => {
    const entries = Object.entries(given);
    if (entries.length > customHeaderBounds.count)
      context.addIssue({ code: 'custom', message: `There may be ${customHeaderBounds.count} headers` });
    if (entries.reduce((sum, [name, value]) => sum + name.length + value.length, 0) > customHeaderBounds.bytes)
      context.addIssue({ code: 'custom', message: `They may have ${customHeaderBounds.bytes} characters together` });
    for (const [name, value] of entries)
      for (const { at, message } of header(name, value)) context.addIssue({ code: 'custom', path: [at], message });
    if (new Set(entries.map(([name]) => name.toLowerCase())).size < entries.length)
      context.addIssue({ code: 'custom', message: 'Two of them have the same name' });
  })
  .transform((given) => Object.fromEntries(Object.entries(given).map(([name, value]) => [name.toLowerCase(), value])));

/** JSON merge patch: null takes a header away. */
export const headersPatch = z.record(z.string(), z.string().nullable()).meta({
  description: 'Request headers of its own, which are no secret: everybody who may read the endpoint sees them.',
  example: { 'x-region': 'eu' },
});

const batchFields = {
  maxEvents: z.int().min(1).max(1_000).meta({ description: 'Events of one POST.', example: 100 }),
  maxBytes: z
    .int()
    .min(1_024)
    .max(524_288)
    .meta({ description: 'Of its body, in bytes; a single event that is larger goes alone.', example: 262_144 }),
  maxWaitMs: z
    .int()
    .min(0)
    .max(60_000)
    .meta({ description: 'How long an event waits for others, in milliseconds.', example: 1_000 }),
};

export const defaultBatch = { maxEvents: 100, maxBytes: 262_144, maxWaitMs: 1_000 } as const;
export const batch = z.object(batchFields).nullable();
export const batchPatch = patchOf(batchFields).meta({
  description:
    'Events travel together: application/cloudevents-batch+json, or a JSON array of the format. Null: each alone.',
  example: defaultBatch,
});

export const transformationId = z.string().max(100).meta({
  description: 'Code that each event passes before it is sent.',
  example: 'tr_019ab3f2c41e7c3f9d1f2a7c5b6e8d90',
});

export const contentAnswer = {
  format,
  compression,
  headers: z.record(z.string(), z.string()),
  batch,
  transformationId: z.string().nullable(),
};
