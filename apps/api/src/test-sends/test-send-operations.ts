/** The route of tests, for the OpenAPI document. */
import type { Operation } from '../openapi/operation.js';
import { sendTestBody, testAnswer } from './test-send.dto.js';

export const testSendOperations = {
  send: {
    id: 'testEndpoint',
    summary: 'Send a test to an endpoint, and see what it answers',
    description:
      'Through the real path, whatever state the endpoint is in: rendered, signed, guarded and POSTed by a worker, once. Its request has the header `posthorn-test: true`. It is outside of ordering and statistics.',
    body: sendTestBody,
    example: { type: 'task.updated' },
    answer: testAnswer,
    problems: [
      'not-verified',
      'invalid-data',
      'too-large',
      'too-many-tests',
      'test-timeout',
      'broker-unavailable',
      'registry-unavailable',
      'overloaded',
      'shutting-down',
    ],
  },
} as const satisfies Record<string, Operation>;
