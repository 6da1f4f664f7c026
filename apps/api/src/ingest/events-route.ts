import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { parseHttpEvents } from '#libs/core';
import { callerOf } from '../access/caller.js';
import type { RouteNeeds } from '../access/needs.js';
import { AppError } from '../problem/app-error.js';
import { sendProblem, type ProblemLog } from '../problem/problem.filter.js';
import type { Ingest } from './ingest.js';

export interface EventsRouteOptions {
  readonly maxEventBytes: number;
  /** Bounds of a batch. */
  readonly maxBatchEvents: number;
  readonly maxBatchBytes: number;
}

/**
 * POST /v1/events, straight on Fastify: thousands of requests a second pass here, and Nest's pipes and interceptors
 * would cost more than the parsing. Its own scope takes every content type as bytes; CloudEvents say what they mean.
 */
export function installEventsRoute(
  server: FastifyInstance,
  ingest: Ingest,
  options: EventsRouteOptions,
  log: ProblemLog,
): void {
  const limits = { maxBytes: options.maxEventBytes };
  server.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser<Buffer>('*', { parseAs: 'buffer' }, (_request, body, parsed) => parsed(null, body));
    scope.setErrorHandler((error, request, reply) => sendProblem(request, reply, error, log));
    scope.post(
      '/v1/events',
      { bodyLimit: options.maxBatchBytes, config: { needs: 'events:write' } satisfies RouteNeeds },
      async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
        const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
        const parsed = parseHttpEvents(request.headers, body, limits);
        if (parsed.ok && parsed.events.length > options.maxBatchEvents) {
          const detail = `A batch holds at most ${options.maxBatchEvents} events, this one ${parsed.events.length}.`;
          throw new AppError('too-large', detail);
        }
        const accepted = await ingest.accept(parsed, callerOf(request).confinement?.tenantId);
        await reply.code(202).type('application/json; charset=utf-8').send(JSON.stringify({ accepted }));
      },
    );
    done();
  });
}
