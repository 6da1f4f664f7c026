/** The routes of endpoints, for the OpenAPI document. */
import { pageOf } from '../http/page-answer.js';
import type { Operation } from '../openapi/operation.js';
import {
  backlogSchema,
  createdEndpoint,
  endpointVersionSchema,
  endpointWithFaults,
  haltedKeySchema,
  resolutionSchema,
  retryPreviewSchema,
  typeVersionsSchema,
  versionPreviewSchema,
} from './endpoint-answers.js';
import { strictRules } from '#libs/core';
import { createEndpointBody, endpointAnswer, listEndpointsQuery, patchEndpointBody } from './endpoint.dto.js';
import { endpointTag } from './endpoints.js';
import { listHaltedKeysQuery } from './halted-key.dto.js';
import { listHistoryQuery } from './history.dto.js';
import { previewBody as retryPreviewBody } from './retry.dto.js';
import { previewBody as versionPreviewBody } from './versions.dto.js';

/** What a deployment allows does not change the shape. */
const rules = strictRules;
const etag: Operation['etag'] = ({ revision }) => endpointTag({ revision: Number(revision) });

export const endpointOperations = {
  create: {
    id: 'createEndpoint',
    summary: 'Make an endpoint',
    description: 'The only answer that ever holds the secret.',
    body: createEndpointBody(rules),
    example: {
      tenantId: 'acme',
      url: 'https://example.com/hooks',
      eventTypes: ['task.*', 'project.created'],
      retry: { delaysMs: [5_000, 300_000], jitter: 0.2 },
    },
    answer: createdEndpoint,
    etag,
    problems: [
      'unknown-tenant',
      'unknown-transformation',
      'broker-unavailable',
      'partition-stopped',
      'registry-unavailable',
    ],
  },
  list: {
    id: 'listEndpoints',
    summary: 'Endpoints, oldest first',
    query: listEndpointsQuery,
    answer: pageOf(endpointAnswer),
  },
  get: { id: 'getEndpoint', summary: 'One endpoint', answer: endpointWithFaults, etag },
  patch: {
    id: 'patchEndpoint',
    ifMatch: true,
    summary: 'Change an endpoint',
    description: 'JSON merge patch (RFC 7396): what is absent stays, null gives back the default.',
    body: patchEndpointBody(rules),
    example: { description: 'Billing', maxInFlight: 32, retry: { jitter: 0.3 } },
    answer: endpointAnswer,
    etag,
    problems: ['unknown-transformation', 'registry-unavailable', 'conflict'],
  },
  pause: {
    id: 'pauseEndpoint',
    summary: 'Let its events wait in the log',
    answer: endpointAnswer,
    etag,
    problems: ['conflict'],
  },
  resume: {
    id: 'resumeEndpoint',
    summary: 'Send what waits, in order, then what comes',
    answer: endpointAnswer,
    etag,
    problems: ['conflict'],
  },
  disable: {
    id: 'disableEndpoint',
    summary: 'As pause, until it is enabled',
    answer: endpointAnswer,
    etag,
    problems: ['conflict'],
  },
  enable: {
    id: 'enableEndpoint',
    summary: 'Send what waits, in order, then what comes',
    answer: endpointAnswer,
    etag,
    problems: ['conflict'],
  },
  delete: { id: 'deleteEndpoint', summary: 'Delete an endpoint', ifMatch: true },
  backlog: {
    id: 'getEndpointBacklog',
    summary: 'What waits for an endpoint in the log, and why',
    answer: backlogSchema,
  },
  history: {
    id: 'listEndpointHistory',
    summary: 'Every configuration that an endpoint had, newest first',
    description: 'Of deleted endpoints too.',
    query: listHistoryQuery,
    answer: pageOf(endpointVersionSchema),
  },
  haltedKeys: {
    id: 'listHaltedKeys',
    summary: 'Ordering keys that wait for a decision',
    query: listHaltedKeysQuery,
    answer: pageOf(haltedKeySchema),
  },
  release: {
    id: 'releaseHaltedDelivery',
    summary: 'Try a halted delivery again',
    description: 'Its retry schedule begins anew.',
    answer: resolutionSchema,
    problems: ['not-halted'],
  },
  skip: {
    id: 'skipHaltedDelivery',
    summary: 'Give a halted delivery up',
    description: 'It becomes a dead letter, and the next of its key follows.',
    answer: resolutionSchema,
    problems: ['not-halted'],
  },
  retryPreview: {
    id: 'previewEndpointRetry',
    summary: 'What the retry policy of an endpoint amounts to',
    answer: retryPreviewSchema,
  },
  previewRetry: {
    id: 'previewRetry',
    summary: 'What a retry policy amounts to that no endpoint has yet',
    tag: 'endpoints',
    body: retryPreviewBody,
    example: {
      retry: { kind: 'exponential', baseMs: 2_000, maxAttempts: 8, jitterKind: 'full', maxTotalMs: 3_600_000 },
    },
    answer: retryPreviewSchema,
  },
  versions: {
    id: 'listEndpointVersions',
    summary: 'Which version of each event type an endpoint gets',
    answer: typeVersionsSchema,
    problems: ['registry-unavailable'],
  },
  previewVersion: {
    id: 'previewEndpointVersion',
    summary: 'Past events in another version',
    description: 'The upgrade itself is a patch of `versions`.',
    body: versionPreviewBody,
    answer: versionPreviewSchema,
    problems: ['registry-unavailable', 'broker-unavailable', 'overloaded'],
  },
} as const satisfies Record<string, Operation>;
