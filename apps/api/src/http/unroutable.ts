import type { FastifyReply, FastifyRequest } from 'fastify';
import { v7 } from 'uuid';
import { AppError } from '../problem/app-error.js';
import { sendProblem } from '../problem/problem.filter.js';
import { nameRequest } from './request-ids.js';
import { securityHeaders } from './security-headers.js';

const silent = { error: (): void => undefined };

/** What Fastify refuses before it has a route: no hook has run by then. */
export function answerUnroutable(_error: Error, request: FastifyRequest, reply: FastifyReply): void {
  nameRequest(request, reply, () => v7().replaceAll('-', ''));
  reply.headers(securityHeaders);
  const detail = 'The path cannot be decoded, or a part of it is too long.';
  sendProblem(request, reply, new AppError('bad-request', detail), silent);
}
