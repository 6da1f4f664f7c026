import { z } from 'zod';
import { identifier, listQuery, time } from '../http/list-query.js';

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

export interface AuditAnswer {
  /** Null: the platform's own. */
  readonly tenantId: string | null;
  readonly seq: number;
  readonly at: string;
  readonly actor: {
    readonly kind: (typeof actorKinds)[number];
    readonly id: string | null;
    readonly name: string | null;
  };
  readonly ip: string | null;
  readonly requestId: string | null;
  readonly action: string;
  readonly resource: string;
  readonly before: unknown;
  readonly after: unknown;
  /** Hexadecimal. */
  readonly prevHash: string;
  readonly hash: string;
}
