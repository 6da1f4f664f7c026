/** The routes of filters, for the OpenAPI document. */
import type { Operation } from '../openapi/operation.js';
import { filterTestAnswer, testFiltersBody } from './filter-test.dto.js';

export const filterOperations = {
  test: {
    id: 'testFilters',
    summary: 'Try filters before an endpoint gets them',
    body: testFiltersBody,
    example: { filters: [{ prefix: { subject: 'task/' } }], tenantId: 'acme', type: 'task.updated', last: 20 },
    answer: filterTestAnswer,
    problems: ['unknown-tenant', 'broker-unavailable', 'registry-unavailable', 'overloaded'],
  },
} as const satisfies Record<string, Operation>;
