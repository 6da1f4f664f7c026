import { z } from 'zod';
import { identifier } from '../http/list-query.js';

/** Key of `versions` for the types that it does not name. */
export const otherTypes = '*';
const maxNamed = 1_000;

const version = z.union([z.int().min(1), z.literal('latest')], {
  error: 'Must be the number of a version, or `latest`',
});

const named = <V extends z.ZodType<number | 'latest' | null>>(value: V) =>
  z.record(z.string().max(255), value).superRefine((given, context) => {
    if (Object.keys(given).length > maxNamed)
      context.addIssue({ code: 'custom', message: `At most ${maxNamed} types can be named at once` });
    if (typeof given[otherTypes] !== 'number') return;
    const message = 'Must be `latest`: there is no one version of all types';
    context.addIssue({ code: 'custom', path: [otherTypes], message });
  });

const description =
  'By event type: the version that it gets, or `latest`. `"*": "latest"` is for types that are not named; without it they are pinned to the version that is newest when the endpoint comes to want them.';
const example = { 'task.updated': 2, 'task.completed': 'latest' } as const;

export const versions = named(version).meta({ description, example });
/** JSON merge patch: null gives back the default. */
export const versionsPatch = named(version.nullable()).meta({ description, example });

export type VersionsPatch = Readonly<Record<string, number | 'latest' | null>>;

export const previewBody = z
  .strictObject({
    type: identifier('An event type that the endpoint wants.', 'task.updated'),
    version: version.meta({ description: 'The version to look at.', example: 3 }),
    last: z
      .int()
      .min(1)
      .max(50)
      .default(10)
      .meta({ description: 'So many of the newest events of the tenant.', example: 10 }),
  })
  .meta({ id: 'PreviewVersion', description: 'Past events in the version that an endpoint gets and in another one.' });
export type PreviewBody = z.output<typeof previewBody>;
