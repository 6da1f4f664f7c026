/** The routes of replays, for the OpenAPI document. */
import { pageOf } from '../http/page-answer.js';
import type { Operation } from '../openapi/operation.js';
import { dryRunSchema, replayAnswer } from './replay-answers.js';
import { replayTag } from './replays.js';
import { createReplayBody, listReplaysQuery, patchReplayBody, recoverBody, resendBody } from './replay.dto.js';

// Whether it has gone on makes it no other: only what somebody changed.
const etag: Operation['etag'] = ({ revision }) => replayTag({ revision: Number(revision) });

export const replayOperations = {
  create: {
    id: 'createReplay',
    summary: 'Send a window of history again',
    body: createReplayBody,
    example: {
      tenantId: 'acme',
      from: '2026-11-23T19:30:00.000Z',
      to: '2026-11-23T20:30:00.000Z',
      eventTypes: ['task.*'],
      rateLimit: { limit: 50, per: 'second' },
    },
    answer: replayAnswer,
    others: { 200: { description: 'What would be sent, with `dryRun`.', answer: dryRunSchema } },
    problems: [
      'unknown-tenant',
      'not-found',
      'nothing-to-replay',
      'not-replayable',
      'conflict',
      'broker-unavailable',
      'registry-unavailable',
      'partition-stopped',
      'overloaded',
    ],
  },
  list: { id: 'listReplays', summary: 'Replays, newest first', query: listReplaysQuery, answer: pageOf(replayAnswer) },
  get: { id: 'getReplay', summary: 'One replay, and how far it is', answer: replayAnswer, etag },
  patch: {
    id: 'patchReplay',
    summary: 'Make a replay faster or slower',
    description: 'JSON merge patch (RFC 7396).',
    body: patchReplayBody,
    example: { rateLimit: { limit: 10, per: 'second' } },
    answer: replayAnswer,
    etag,
    ifMatch: true,
    problems: ['replay-ended'],
  },
  pause: { id: 'pauseReplay', summary: 'Pause a replay', answer: replayAnswer, etag, problems: ['replay-ended'] },
  resume: {
    id: 'resumeReplay',
    summary: 'Go on with a replay',
    answer: replayAnswer,
    etag,
    problems: ['replay-ended'],
  },
  cancel: {
    id: 'cancelReplay',
    summary: 'End a replay',
    description: 'Workers drop what is left of it.',
    answer: replayAnswer,
    problems: ['replay-ended'],
  },
  recover: {
    id: 'recoverEndpoint',
    summary: 'Send everything again that an endpoint lost from a time on',
    body: recoverBody,
    example: { since: '2026-11-23T19:30:00.000Z' },
    answer: replayAnswer,
    problems: ['nothing-to-replay', 'broker-unavailable'],
  },
  resend: {
    id: 'resendDelivery',
    summary: 'Send one delivery again',
    body: resendBody,
    example: { newIds: true },
    answer: replayAnswer,
    problems: ['not-replayable', 'nothing-to-replay', 'broker-unavailable', 'registry-unavailable'],
  },
} as const satisfies Record<string, Operation>;
