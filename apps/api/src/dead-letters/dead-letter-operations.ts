/** The routes of dead letters, for the OpenAPI document. */
import { pageOf } from '../http/page-answer.js';
import type { Operation } from '../openapi/operation.js';
import { replayAnswer } from '../replays/replay-answers.js';
import { resendBody } from '../replays/replay.dto.js';
import { deadLetterAnswer, deadLetterStory, discardedAnswer } from './dead-letter-answers.js';
import { discardAllBody, discardBody, listDeadLettersQuery, replayDeadLettersBody } from './dead-letter.dto.js';

const someFilter = { endpointId: 'ep_019ab3f2c41e7c3f9d1f2a7c5b6e8d90', error: 'certificate expired' };

export const deadLetterOperations = {
  list: {
    id: 'listDeadLetters',
    summary: 'Dead letters, given up last first',
    query: listDeadLettersQuery,
    answer: pageOf(deadLetterAnswer),
  },
  get: { id: 'getDeadLetter', summary: 'One dead letter with its attempts', answer: deadLetterStory },
  discardAll: {
    id: 'discardDeadLetters',
    summary: 'Close all open dead letters that match a filter',
    body: discardAllBody,
    example: { filter: someFilter, reason: 'Test data of the old integration' },
    answer: discardedAnswer,
  },
  discard: {
    id: 'discardDeadLetter',
    summary: 'Close a dead letter without sending it again',
    body: discardBody,
    answer: deadLetterAnswer,
    problems: ['not-open'],
  },
  replayAll: {
    id: 'replayDeadLetters',
    summary: 'Send open dead letters again',
    body: replayDeadLettersBody,
    example: { filter: someFilter, rateLimit: { limit: 50, per: 'second' } },
    answer: replayAnswer,
    problems: ['nothing-to-replay', 'not-open', 'not-replayable', 'broker-unavailable'],
  },
  replay: {
    id: 'replayDeadLetter',
    summary: 'Send a dead letter again',
    body: resendBody,
    example: { newIds: true },
    answer: replayAnswer,
    problems: ['not-open', 'not-replayable', 'nothing-to-replay', 'broker-unavailable'],
  },
} as const satisfies Record<string, Operation>;
