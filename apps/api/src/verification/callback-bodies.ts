import type { FastifyInstance } from 'fastify';
import { AppError } from '../problem/app-error.js';
import { callbackPath } from './callback-path.js';

/** A callback says all by being called: what a receiver's client puts into its body, a form or nothing, is left unread. */
export function installCallbackBodies(server: FastifyInstance): void {
  server.addContentTypeParser('*', ({ routeOptions }, _body, done) => {
    if (routeOptions.url?.startsWith(`/${callbackPath}/`) === true) done(null);
    else done(new AppError('unsupported-content-type', 'Send application/json.'));
  });
}
