/** The routes of endpoints' secrets, for the OpenAPI document. */
import { z } from 'zod';
import type { Operation } from '../openapi/operation.js';
import { publicKeyAnswer, rotateSecretBody, rotatedAnswer, secretAnswer } from './secrets.dto.js';

export const secretOperations = {
  rotate: {
    id: 'rotateSecret',
    summary: 'Give an endpoint a new secret',
    description: 'The only answer that ever holds it. Those of its kind sign beside it for a while.',
    body: rotateSecretBody.optional(),
    example: { overlapSeconds: 86_400 },
    answer: rotatedAnswer,
    problems: ['too-many-secrets', 'conflict', 'already-exists'],
  },
  list: {
    id: 'listSecrets',
    summary: 'What is known of the secrets in force',
    answer: z.object({ data: z.array(secretAnswer) }),
  },
  end: {
    id: 'endSecret',
    summary: 'End a secret now',
    problems: ['last-secret', 'conflict'],
  },
  publicKeys: {
    id: 'listPublicKeys',
    summary: 'Public keys that verify its signatures',
    answer: z.object({ data: z.array(publicKeyAnswer) }),
  },
} as const satisfies Record<string, Operation>;
