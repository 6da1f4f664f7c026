import type { FastifyInstance } from 'fastify';
import { AppError } from '../problem/app-error.js';
import { pathOf } from '../problem/problem.js';

const methods = ['DELETE', 'GET', 'PATCH', 'POST', 'PUT'] as const;

/**
 * What no route answers, before a body is read: 405 with `Allow` where the path answers to other methods (RFC 9110 §15.5.6),
 * else 404. `HEAD` and `OPTIONS` are methods like others: nothing here has them. Below /v1, who has no key is told so first.
 */
export function installMissingRoutes(server: FastifyInstance): void {
  server.addHook('onRequest', (request, _reply, done) => {
    if (!request.is404) {
      done();
      return;
    }
    const url = pathOf(request.url);
    // Not hasRoute: that compares patterns.
    const allowed = methods.filter((method) => server.findRoute({ method, url }) !== null);
    if (allowed.length === 0) {
      done(new AppError('unknown-route', 'Nothing answers to this path.'));
      return;
    }
    const allow = allowed.join(', ');
    done(new AppError('method-not-allowed', `This path answers to ${allow}.`, { headers: { allow } }));
  });
}
