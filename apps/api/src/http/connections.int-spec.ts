// Real: sockets, and the HTTP server as the api sets it up. Doubled: the routes behind it.
import { once } from 'node:events';
import { connect, type AddressInfo, type Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { httpAdapter } from '#libs/platform';
import { apiApp } from '../index.js';
import { sendProblem } from '../problem/problem.filter.js';

let server: FastifyInstance;
let port: number;
const handled: string[] = [];

beforeAll(async () => {
  const adapter = httpAdapter(apiApp, { headersMs: 100, wholeMs: 200, lookEveryMs: 20 });
  server = adapter.getInstance<FastifyInstance>();
  server.setErrorHandler((error, request, reply) => sendProblem(request, reply, error, { error: () => undefined }));
  server.addContentTypeParser('application/json', { parseAs: 'buffer', bodyLimit: 1_000 }, (_request, body, done) =>
    done(null, body),
  );
  server.post('/v1/things', (request) => {
    handled.push(request.url);
    return {};
  });
  await server.listen({ port: 0, host: '127.0.0.1' });
  ({ port } = server.server.address() as AddressInfo);
});
afterAll(() => server?.close());

/** Sends that, leaves the connection open, and resolves to all that came when the server has closed it. */
async function closedAfter(...parts: readonly string[]): Promise<string> {
  const socket: Socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.setEncoding('utf8').on('data', (text: string) => (answer += text));
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  for (const part of parts) socket.write(part);
  await once(socket, 'close');
  return answer;
}

const begun = 'POST /v1/things HTTP/1.1\r\nHost: a\r\n';
const json = `${begun}Content-Type: application/json\r\n`;

describe('a request that never becomes one', () => {
  it.each([
    ['has headers of more than 16 KiB', 431, 'headers-too-large', [`${begun}X-A: ${'a'.repeat(17_000)}\r\n\r\n`]],
    ['has a URL of more than 16 KiB', 431, 'headers-too-large', [`GET /${'a'.repeat(17_000)} HTTP/1.1\r\n\r\n`]],
    ['sends its headers byte by byte', 408, 'request-timeout', ['POST /v1/things HT']],
    ['sends its body byte by byte', 408, 'request-timeout', [`${json}Content-Length: 9\r\n\r\n`, '{', '"']],
    ['has two lengths', 400, 'bad-request', [`${begun}Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}`]],
    [
      'has a length and chunks',
      400,
      'bad-request',
      [`${begun}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}`],
    ],
    ['is no HTTP', 400, 'bad-request', ['\x16\x03\x01\x02\x00 hello\r\n\r\n']],
  ])('because it %s is answered with a problem, and cut off', async (_what, status, code, parts) => {
    const answer = await closedAfter(...parts);
    const [head = '', body = ''] = answer.split('\r\n\r\n');
    expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [A-Z]`));
    expect(head).toContain('content-type: application/problem+json');
    expect(head).toContain('x-content-type-options: nosniff');
    expect(head).toContain('connection: close');
    const problem = JSON.parse(body) as Record<string, unknown>;
    expect(problem).toMatchObject({ status, code });
    expect(head).toContain(`x-request-id: ${String(problem['requestId'])}`);
    expect(handled).toEqual([]);
  });

  it('holds no connection on which nothing comes', async () => {
    expect(await closedAfter()).toMatch(/^HTTP\/1\.1 408 /);
  });
});

describe('a body beyond what the route takes', () => {
  it('is refused by its length, before it is sent', async () => {
    const answer = await closedAfter(`${json}Content-Length: 1000000000\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toContain('"code":"too-large"');
  });

  it('is refused as soon as it is too long, where no length is named', async () => {
    const chunk = `1f4\r\n${'a'.repeat(500)}\r\n`;
    const answer = await closedAfter(`${json}Transfer-Encoding: chunked\r\n\r\n`, chunk, chunk, chunk);
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(handled).toEqual([]);
  });
});
