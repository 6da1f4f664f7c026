/** The routes of figures, for the OpenAPI document; those by endpoint are of the delivery log. */
import type { Operation } from '../openapi/operation.js';
import { statsPage, statsQuery } from './stats.dto.js';

export const statsOperations = {
  list: {
    id: 'getStats',
    summary: 'Figures of deliveries by time',
    description: 'Counted as outcomes are recorded, without test webhooks. Buckets in which nothing was are left out.',
    query: statsQuery,
    answer: statsPage,
  },
} as const satisfies Record<string, Operation>;
