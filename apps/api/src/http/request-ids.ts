import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

const requestIdHeader = 'x-request-id';
const fit = /^[\w.:-]{1,100}$/;

/**
 * Every request has an id, `request.id`, which its answer, its problem and its log lines name. A caller's own is taken if
 * it is 1 to 100 of `A-Z a-z 0-9 _ . : -`, so that it can stand in a log line.
 */
export function installRequestIds(server: FastifyInstance, newId: () => string): void {
  server.addHook('onRequest', (request, reply, done) => {
    nameRequest(request, reply, newId);
    done();
  });
}

export function nameRequest(request: FastifyRequest, reply: FastifyReply, newId: () => string): void {
  const given = request.headers[requestIdHeader];
  request.id = typeof given === 'string' && fit.test(given) ? given : `req_${newId()}`;
  reply.header(requestIdHeader, request.id);
}
