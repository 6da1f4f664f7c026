import type { FastifyInstance, FastifyRequest } from 'fastify';
import { strictJson } from '#libs/core';
import { installAccess } from '../access/access-hook.js';
import type { Callers } from '../access/callers.js';
import { AppError } from '../problem/app-error.js';
import { pathOf } from '../problem/problem.js';
import type { RequestsInFlight } from './requests-in-flight.js';

const managementBodyLimit = 256 * 1024;
const jsonTypes = ['application/json', 'application/merge-patch+json'];

/**
 * Everything below /v1 is ours; health and metrics of the same server are left alone. Decided by the route that was
 * found, not by the path as it was sent: the router also takes `/%761/tenants` for `/v1/tenants`.
 */
export const isOurs = (request: FastifyRequest): boolean =>
  /^\/v1(\/|$)/.test(request.routeOptions.url ?? pathOf(request.url));

/**
 * What holds for every route below /v1: who calls is looked at before a body is read, also for routes that do not
 * exist; bodies are JSON; a stopping process takes nothing more. The ingest route has parsers of its own.
 */
export function installConventions(
  server: FastifyInstance,
  { requests, callers }: { readonly callers: Callers; readonly requests: RequestsInFlight },
): void {
  installAccess(server, { callers, isOurs });
  const counted = new WeakSet<FastifyRequest>();
  server.removeAllContentTypeParsers();
  server.addContentTypeParser<Buffer>(
    jsonTypes,
    { parseAs: 'buffer', bodyLimit: managementBodyLimit },
    (_request, body, done) => {
      try {
        done(null, parseJson(body));
      } catch (error) {
        done(error as AppError);
      }
    },
  );
  server.addHook('onRequest', (request, _reply, done) => {
    if (!isOurs(request)) {
      done();
      return;
    }
    if (requests.stopping) {
      const headers = { 'retry-after': '1', connection: 'close' };
      done(new AppError('shutting-down', 'Try again: another process will answer.', { headers }));
      return;
    }
    requests.started();
    counted.add(request);
    done();
  });
  const ended = (request: FastifyRequest): void => {
    if (counted.delete(request)) requests.ended();
  };
  server.addHook('onResponse', (request, _reply, done) => {
    ended(request);
    done();
  });
  server.addHook('onRequestAbort', (request, done) => {
    ended(request);
    done();
  });
}

/** Throws `malformed-json`; an empty body is undefined. */
function parseJson(body: Buffer): unknown {
  if (body.length === 0) return undefined;
  const parsed = strictJson(body);
  if (parsed.ok) return parsed.value;
  const { ok: _ok, ...fault } = parsed;
  throw new AppError('malformed-json', 'The body is not JSON of which every reader makes the same.', {
    errors: [fault],
  });
}
