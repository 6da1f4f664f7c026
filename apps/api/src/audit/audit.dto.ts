import { z } from 'zod';
import { identifier, listQuery, time } from '../http/list-query.js';
import { instant, pageOf } from '../http/page-answer.js';
import type { Operation } from '../openapi/operation.js';

const actorKinds = ['root', 'operator', 'tenant', 'portal', 'system'] as const;

export const listAuditQuery = z.strictObject({
  ...listQuery,
  tenantId: z
    .string()
    .regex(/^[^\p{Cc}]{0,1000}$/u, 'Must be at most 1000 characters, none of them a control character')
    .optional()
    .meta({ description: "Entries of this tenant; empty: the platform's own.", example: 'acme' }),
  actorKind: z.enum(actorKinds).optional().meta({ description: 'Done by such a caller.', example: 'tenant' }),
  actorId: identifier('Done with this key or token.', 'pht_0f3c7a91be24').optional(),
  action: identifier('What was done.', 'endpoint.updated').optional(),
  resource: identifier('To what.', 'endpoint/ep_1').optional(),
  requestId: identifier('In this request.', 'req_1').optional(),
  from: time('Not before this time.').optional(),
  to: time('Before this time.').optional(),
});

const sha256 = z.string().meta({
  description: 'SHA-256, in hexadecimal.',
  example: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
});
const state = z.unknown().meta({ description: 'JSON, without secrets; null: it was not there.' });

const auditAnswer = z
  .object({
    tenantId: z.string().nullable().meta({ description: "Null: the platform's own.", example: 'acme' }),
    seq: z.int().meta({ description: "Counts each tenant's entries, from 1.", example: 17 }),
    at: instant,
    actor: z.object({
      kind: z.enum(actorKinds).meta({ description: '`root`: the operator key. `system`: Posthorn itself.' }),
      id: z.string().nullable().meta({ description: 'Of the key or token.', example: 'pht_0f3c7a91be24' }),
      name: z.string().nullable().meta({ example: 'Billing service' }),
    }),
    ip: z.string().nullable().meta({ example: '203.0.113.7' }),
    requestId: z.string().nullable().meta({ example: 'req_019ab3f2c41e7c3f9d1f2a7c5b6e8d90' }),
    action: z.string().meta({ example: 'endpoint.updated' }),
    resource: z.string().meta({ example: 'endpoint/ep_019ab3f2c41e7c3f9d1f2a7c5b6e8d90' }),
    before: state,
    after: state,
    prevHash: sha256,
    hash: sha256,
  })
  .meta({ id: 'AuditEntry' });

export type AuditAnswer = z.output<typeof auditAnswer>;

/** For the OpenAPI document. */
export const auditOperations = {
  list: {
    id: 'listAudit',
    summary: 'Who changed what, newest first',
    query: listAuditQuery,
    answer: pageOf(auditAnswer),
  },
} as const satisfies Record<string, Operation>;
