import { z } from 'zod';
import { parseFilters, type Filters } from '#libs/filters';

/** The filters of an endpoint, checked and ready to be compiled. Their faults stand below the field that they are given in. */
export const filtersField = z
  .unknown()
  .transform((given, context): Filters => {
    const parsed = parseFilters(given);
    if (parsed.ok) return parsed.filters;
    for (const { pointer, code, detail, position } of parsed.faults) {
      const path = pointer
        .split('/')
        .slice(1)
        .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
      const missing = given === undefined;
      context.addIssue({
        code: 'custom',
        message: missing ? 'It must be given' : detail,
        path,
        params: { code: missing ? 'required' : code, position },
      });
    }
    return z.NEVER;
  })
  .meta({
    description: 'All must match (docs/filters.md): dialects of the CloudEvents Subscriptions API, and CEL.',
    example: [{ prefix: { subject: 'task/' } }, { cel: 'data.priority == "high" && data.assignee != null' }],
  });
