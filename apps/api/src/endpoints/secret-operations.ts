/** The routes of endpoints' secrets, for the OpenAPI document. */
import { z } from 'zod';
import type { Operation } from '../openapi/operation.js';
import { publicKeyAnswer, rotatedAnswer, rotateSecretBody, secretAnswer } from './secrets.dto.js';

export const secretOperations = {
  rotate: {
    id: 'rotateSecret',
    summary: 'Sign with a new secret',
    description: 'The only answer that ever holds the new secret.',
    body: rotateSecretBody.optional(),
    example: { overlapSeconds: 86_400 },
    answer: rotatedAnswer,
    problems: ['conflict', 'too-many-secrets'],
  },
  list: {
    id: 'listSecrets',
    summary: 'Secrets in force, in the order in which they sign',
    answer: z.object({ data: z.array(secretAnswer) }),
  },
  end: { id: 'endSecret', summary: 'End a secret at once', problems: ['conflict', 'last-secret'] },
  publicKeys: {
    id: 'listPublicKeys',
    summary: 'What verifies `v1a` signatures of an endpoint',
    answer: z.object({ data: z.array(publicKeyAnswer) }),
  },
} as const satisfies Record<string, Operation>;
