import { z } from 'zod';
import { allScopes, type Scope } from '#libs/core';
import { identifier, listQuery, plainText, time } from '../http/list-query.js';
import { instant } from '../http/page-answer.js';
import { tenantId } from '../tenants/tenant.dto.js';

/** Which of them the key may be given depends on whose it is: checked where that is known. */
const scopes = z
  .array(z.string().min(1).max(100))
  .min(1)
  .max(50)
  .meta({
    description: `Of ${allScopes.join(', ')}; \`<resource>:*\` for all of a resource, \`*\` for all that such a key may hold.`,
    example: ['endpoints:*', 'events:write'],
  });

export const createKeyBody = z
  .strictObject({
    name: plainText(200).trim().min(1).meta({ description: 'For people.', example: 'Billing service' }),
    tenantId: tenantId.nullable().optional().meta({
      description: 'Confines the key to this tenant; null: a key of the platform. A tenant makes its own only.',
    }),
    scopes,
    expiresAt: time('When it ceases to work; null: never.').nullable().optional(),
  })
  .meta({ id: 'CreateKey', description: 'A key of this API.' });

export const listKeysQuery = z.strictObject({
  ...listQuery,
  tenantId: identifier('Keys of this tenant.', 'acme').optional(),
  state: z.enum(['active', 'revoked', 'expired']).optional().meta({
    description: 'Only those; one that was revoked is that also after it would have expired.',
    example: 'active',
  }),
  scope: z
    .enum(allScopes as readonly [Scope, ...Scope[]])
    .optional()
    .meta({ description: 'Only those that hold it, by its name, `<resource>:*` or `*`.', example: 'endpoints:write' }),
});

export const keyAnswer = z
  .object({
    id: z.string().meta({ description: 'The first part of the key, which is no secret.', example: 'pht_0f3c7a91be24' }),
    tenantId: z.string().nullable(),
    name: z.string(),
    scopes: z.array(z.string()),
    expiresAt: instant.nullable(),
    revokedAt: instant.nullable(),
    lastUsedAt: instant.nullable().meta({ description: 'To the minute.' }),
    createdAt: instant,
    createdBy: z.string().nullable().meta({ description: 'Id of a key; null: the operator key of the environment.' }),
  })
  .meta({ id: 'Key' });

export type CreateKeyBody = z.output<typeof createKeyBody>;
export type KeyAnswer = z.output<typeof keyAnswer>;

export const createdKeyAnswer = keyAnswer
  .extend({
    key: z.string().meta({
      description: 'Shown here and nowhere else.',
      example: 'pht_0f3c7a91be24_Qm9s1zv0b5c0q4f2yJ8l1nXw7uT3eR6aKd9pVgHsZ0E',
    }),
  })
  .meta({ id: 'CreatedKey' });

export type CreatedKeyAnswer = z.output<typeof createdKeyAnswer>;

export const createPortalTokenBody = z
  .strictObject({
    scopes,
    endpointIds: z
      .array(z.string().regex(/^ep_[0-9a-f]{32}$/, 'Must be the id of an endpoint'))
      .min(1)
      .max(100)
      .optional()
      .meta({ description: 'Only these endpoints of the tenant, and what belongs to them. Left out: all.' }),
    expiresInSeconds: z
      .int()
      .min(60)
      .max(86_400)
      .default(3_600)
      .meta({ description: 'How long it works.', example: 3_600 }),
  })
  .meta({ id: 'CreatePortalToken', description: "A token for a customer's browser." });

export type CreatePortalTokenBody = z.output<typeof createPortalTokenBody>;

export const portalTokenAnswer = z
  .object({
    id: z.string().meta({ example: 'ptk_019ab3f2c41e7c3f9d1f2a7c5b6e8d90' }),
    token: z.string().meta({ description: 'A JSON Web Token, shown here and nowhere else.', example: 'eyJhbGciOiJ…' }),
    tenantId: z.string().meta({ example: 'acme' }),
    scopes: z.array(z.string()),
    endpointIds: z.array(z.string()).nullable().meta({ description: 'Null: all of the tenant.' }),
    expiresAt: instant,
  })
  .meta({ id: 'PortalToken' });

export type PortalTokenAnswer = z.output<typeof portalTokenAnswer>;
