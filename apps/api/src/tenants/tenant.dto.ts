import { z } from 'zod';
import { listQuery, plainText, words } from '../http/list-query.js';

export const tenantId = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/, 'Must be 1 to 64 of A-Z a-z 0-9 _ -, not beginning with _ or -')
  .meta({ description: 'Chosen by the caller; the CloudEvents extension `tenantid`.', example: 'acme' });

export const createTenantBody = z
  .strictObject({
    id: tenantId,
    name: plainText(200).trim().min(1).meta({ description: 'For people.', example: 'Acme Ltd' }),
  })
  .meta({ id: 'CreateTenant', description: 'A customer of the platform, whose endpoints and events are kept apart.' });

export const listTenantsQuery = z.strictObject({
  name: words('the name', 'acme').optional(),
  ...listQuery,
});

export const tenantAnswer = z
  .object({
    id: tenantId,
    name: z.string(),
    createdAt: z.iso.datetime().meta({ example: '2026-11-23T19:30:00.000Z' }),
    updatedAt: z.iso.datetime().meta({ example: '2026-11-23T19:30:00.000Z' }),
  })
  .meta({ id: 'Tenant' });

export type TenantAnswer = z.output<typeof tenantAnswer>;
