import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { v7 } from 'uuid';
import { AppError } from '../problem/app-error.js';
import { sendProblem } from '../problem/problem.filter.js';
import { problemContentType, problemOf } from '../problem/problem.js';
import { nameRequest } from './request-ids.js';
import { securityHeaders } from './security-headers.js';

const silent = { error: (): void => undefined };
const newId = (): string => v7().replaceAll('-', '');

/** What Fastify refuses before it has a route: no hook has run by then. */
export function answerUnroutable(_error: Error, request: FastifyRequest, reply: FastifyReply): void {
  nameRequest(request, reply, newId);
  reply.headers(securityHeaders);
  const detail = 'The path cannot be decoded, or a part of it is too long.';
  sendProblem(request, reply, new AppError('bad-request', detail), silent);
}

/**
 * What Node refuses before it has a request: no HTTP, headers and URL that are too long together, or that do not come to an
 * end in time. The same problem as elsewhere, by hand, and the end of the connection. There is no path to name.
 */
export function answerUnreadable(error: Error & { readonly code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const refusal = refusalOf(error.code);
  const requestId = `req_${newId()}`;
  const body = JSON.stringify(problemOf(refusal, { instance: '', requestId }));
  const headers = {
    ...securityHeaders,
    'x-request-id': requestId,
    'content-type': problemContentType,
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}\r\n${lines.join('')}\r\n${body}`);
  socket.destroy(error);
}

function refusalOf(code: string | undefined): AppError {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new AppError('headers-too-large', 'URL and headers may have 16 KiB together.');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new AppError('request-timeout', 'The request did not come to its end in time.');
    default:
      return new AppError('bad-request', 'It is not HTTP/1.1, or not in a way that all would read alike.');
  }
}
