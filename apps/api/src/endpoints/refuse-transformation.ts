import { namesNoTransformation } from '#libs/persistence';
import { AppError } from '../problem/app-error.js';

/** For a change of an endpoint that was thrown back: by the database alone, so that none is deleted at the same time. */
export function refuseTransformation(error: unknown): never {
  if (!namesNoTransformation(error)) throw error;
  throw new AppError('unknown-transformation', 'Make it first, for the tenant of the endpoint.', {
    errors: [
      {
        pointer: '/transformationId',
        code: 'unknown-transformation',
        detail: 'The tenant has no such transformation.',
      },
    ],
    cause: error,
  });
}
