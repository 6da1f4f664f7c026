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
  revoke: {
    id: 'revokeKey',
    summary: 'Revoke a key, for good',
    description: 'No process of the api accepts a request with it that comes after the answer.',
  },
  mint: {
    id: 'mintPortalToken',
    summary: "Make a token for a customer's browser",
    description: 'It is kept nowhere: let it be short-lived.',
    tag: 'keys',
    body: createPortalTokenBody,
    example: { scopes: ['endpoints:*', 'deliveries:read'], expiresInSeconds: 900 },
    answer: portalTokenAnswer,
  },
  revokeTokens: {
    id: 'revokePortalTokens',
    summary: 'Revoke all portal tokens of a tenant',
    description: 'All that were minted before. None is accepted after the answer.',
    tag: 'keys',
  },
  revokeToken: {
    id: 'revokePortalToken',
    summary: 'Revoke a portal token, for good',
    tag: 'keys',
  },
} as const satisfies Record<string, Operation>;
