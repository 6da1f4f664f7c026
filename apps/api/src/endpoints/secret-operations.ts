/** The routes of endpoints' secrets, for the OpenAPI document. */
import { z } from 'zod';
import type { Operation } from '../openapi/operation.js';
import { secretsTag } from './secrets.js';
import { publicKeyAnswer, rotatedAnswer, rotateSecretBody, secretAnswer, type SecretAnswer } from './secrets.dto.js';

export const secretOperations = {
  rotate: {
    id: 'rotateEndpointSecret',
    summary: 'Bring a new secret into force',
    description: [
      'It signs at once; those of its kind sign beside it until the overlap is over.',
      'The only answer that ever holds it.',
    ].join(' '),
    body: rotateSecretBody.optional(),
    example: { overlapSeconds: 86_400 },
    ifMatch: true,
    answer: rotatedAnswer,
    problems: ['too-many-secrets', 'conflict', 'already-exists'],
  },
  list: {
    id: 'listEndpointSecrets',
    summary: 'The secrets in force, in the order in which they sign',
    answer: z.object({ data: z.array(secretAnswer) }),
    etag: ({ data }) => secretsTag(data as SecretAnswer[]),
  },
  end: {
    id: 'endEndpointSecret',
    summary: 'End a secret at once',
    ifMatch: true,
    problems: ['last-secret', 'conflict'],
  },
  publicKeys: {
    id: 'listEndpointPublicKeys',
    summary: 'The public keys that verify `v1a` signatures',
    answer: z.object({ data: z.array(publicKeyAnswer) }),
  },
} satisfies Record<string, Operation>;
