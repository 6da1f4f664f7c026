import { z } from 'zod';
import { identifier, listQuery, words } from '../http/list-query.js';

export const listEventTypesQuery = z.strictObject({
  status: z.enum(['active', 'deprecated']).optional().meta({ description: 'Only those.', example: 'active' }),
  owner: identifier('Only those of this owner.', 'tasks').optional(),
  text: words('the name or the description', 'comment').optional(),
  ...listQuery,
});

export const differenceQuery = z.strictObject({
  to: z
    .string()
    .regex(/^[1-9]\d{0,8}$/, 'Must be the number of a version')
    .transform(Number)
    .pipe(z.int())
    .meta({ description: 'The version to compare with.', example: 2 }),
});
