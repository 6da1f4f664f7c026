/** The routes of verification, for the OpenAPI document. */
import type { Operation } from '../openapi/operation.js';
import { allowedAnswer, verificationAnswer } from './verification.dto.js';

const callback = {
  open: true,
  tag: 'endpoints',
  description: [
    'CloudEvents webhooks, 4.1.3: whoever has the URL that a handshake offered in `WebHook-Request-Callback` allows',
    'deliveries, at the rate of the header `WebHook-Allowed-Rate` if there is one. For a day, as often as one likes.',
  ].join(' '),
  answer: allowedAnswer,
  problems: ['invalid-parameter'],
} as const satisfies Omit<Operation, 'id' | 'summary'>;

export const verificationOperations = {
  get: {
    id: 'getEndpointVerification',
    summary: 'Whether an endpoint wants what is sent to it, and what was tried last',
    answer: verificationAnswer,
  },
  verify: {
    id: 'verifyEndpoint',
    summary: 'Try to verify an endpoint now',
    description: [
      'Answers when the receiver has, or its time is over: with what was sent and what came, whether it was verified or',
      'not. Sends nothing to an endpoint that is verified.',
    ].join(' '),
    answer: verificationAnswer,
    problems: ['no-verification', 'verification-under-way', 'conflict'],
  },
  open: { id: 'openVerificationCallback', summary: 'Allow deliveries, by a link', ...callback },
  call: { id: 'callVerificationCallback', summary: 'Allow deliveries', ...callback },
} as const satisfies Record<string, Operation>;
