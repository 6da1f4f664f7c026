/** The routes of tenants, for the OpenAPI document. */
import { pageOf } from '../http/page-answer.js';
import type { Operation } from '../openapi/operation.js';
import { createTenantBody, listTenantsQuery, tenantAnswer } from './tenant.dto.js';
import { tenantTag } from './tenants.js';

const etag: Operation['etag'] = ({ updatedAt }) => tenantTag({ updatedAt: String(updatedAt) });

export const tenantOperations = {
  create: {
    id: 'createTenant',
    summary: 'Make a tenant',
    body: createTenantBody,
    answer: tenantAnswer,
    etag,
    problems: ['already-exists'],
  },
  list: { id: 'listTenants', summary: 'Tenants, oldest first', query: listTenantsQuery, answer: pageOf(tenantAnswer) },
  get: { id: 'getTenant', summary: 'One tenant', answer: tenantAnswer, etag },
  delete: {
    id: 'deleteTenant',
    ifMatch: true,
    summary: 'Delete a tenant that has no endpoints',
    description: 'With its transformations.',
    problems: ['tenant-has-endpoints'],
  },
} as const satisfies Record<string, Operation>;
