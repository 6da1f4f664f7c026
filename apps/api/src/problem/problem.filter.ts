import { Catch, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { callbackPath } from '../verification/callback-path.js';
import { AppError } from './app-error.js';
import { appErrorOf, pathOf, problemContentType, problemOf } from './problem.js';

/** The little of a logger that is used here. */
export interface ProblemLog {
  error(details: object, message: string): void;
}

/** The one place where something thrown becomes an answer. What is not a refusal is logged and told as `internal`. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly log: ProblemLog) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    sendProblem(http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>(), thrown, this.log);
  }
}

/** Of a callback the path is a secret. */
function loggedPath({ routeOptions, url }: FastifyRequest): string {
  const route = routeOptions.url;
  return route?.startsWith(`/${callbackPath}/`) === true ? route : pathOf(url);
}

export function sendProblem(request: FastifyRequest, reply: FastifyReply, thrown: unknown, log: ProblemLog): void {
  let error = appErrorOf(thrown);
  if (error === null) {
    log.error(
      { err: thrown, method: request.method, path: loggedPath(request), requestId: request.id },
      'request failed',
    );
    error = new AppError('internal', 'It was logged; try again, and tell the operator if it stays.');
  }
  if (reply.sent) return;
  // As bytes: to a text Fastify would add a charset, which this media type does not have.
  void reply
    .code(error.status)
    .headers(error.headers)
    .type(problemContentType)
    .send(Buffer.from(JSON.stringify(problemOf(error, { instance: pathOf(request.url), requestId: request.id }))));
}
