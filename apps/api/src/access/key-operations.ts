/** The routes of keys and portal tokens, for the OpenAPI document. */
import { pageOf } from '../http/page-answer.js';
import type { Operation } from '../openapi/operation.js';
import {
  createdKeyAnswer,
  createKeyBody,
  createPortalTokenBody,
  keyAnswer,
  listKeysQuery,
  portalTokenAnswer,
} from './api-key.dto.js';

export const keyOperations = {
  create: {
    id: 'createKey',
    summary: 'Make a key',
    description: 'The only answer that ever holds it. Nobody hands on a scope that they do not hold.',
    body: createKeyBody,
    example: { name: 'Billing service', tenantId: 'acme', scopes: ['endpoints:*', 'events:write'] },
    answer: createdKeyAnswer,
    problems: ['unknown-tenant'],
  },
  list: { id: 'listKeys', summary: 'Keys, oldest first', query: listKeysQuery, answer: pageOf(keyAnswer) },
  get: { id: 'getKey', summary: 'What is known of one key', answer: keyAnswer },
  revoke: { id: 'revokeKey', summary: 'Revoke a key, for good' },
  mint: {
    id: 'mintPortalToken',
    summary: "Make a token for a customer's browser",
    description: 'It is kept nowhere and cannot be revoked: let it be short-lived.',
    tag: 'keys',
    body: createPortalTokenBody,
    example: { scopes: ['endpoints:*', 'deliveries:read'], expiresInSeconds: 900 },
    answer: portalTokenAnswer,
  },
} as const satisfies Record<string, Operation>;
