// Real: sockets on 127.0.0.1, undici. Doubled: nothing. Facts: results, and what the servers counted.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { defaultPorts, networkRules, strictRules, type PostResult } from '#libs/core';
import { createHttpSender, type HttpPost, type HttpSender, type HttpSenderOptions } from './index.js';

const closers: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

async function listening(server: Server): Promise<{ origin: string; connections: () => number }> {
  let count = 0;
  server.on('connection', () => (count += 1));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, connections: () => count };
}

const receiver = (handle: Handler) =>
  listening(
    createServer((request, response) => {
      request.resume().on('end', () => handle(request, response));
    }),
  );

async function tcp(handle: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    handle(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const rules = networkRules({ allowHttp: true, allowedRanges: ['127.0.0.0/8'], allowedPorts: defaultPorts });

function sender(options: HttpSenderOptions = {}): HttpSender {
  const made = createHttpSender({ rules, ...options });
  closers.push(() => made.close());
  return made;
}

const post = (origin: string, more: Partial<HttpPost> = {}): HttpPost => ({
  origin,
  path: '/hook?x=1',
  headers: { 'content-type': 'application/json', 'webhook-id': 'msg_1' },
  body: Buffer.from('{"a":1}'),
  encoding: 'identity',
  timeoutMs: 5_000,
  ...more,
});

const errorOf = (result: PostResult): string =>
  result.kind === 'error' ? result.error.kind : `answer ${result.status}`;

describe('http sender', () => {
  it('POSTs headers and body as given, and returns status, headers and body', async () => {
    const seen: { method?: string; url?: string; id?: string | string[]; body: string }[] = [];
    const server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        seen.push({ method: request.method!, url: request.url!, id: request.headers['webhook-id']!, body });
        response.setHeader('x-two', ['a', 'b']).writeHead(202).end('thanks');
      });
    });
    const { origin } = await listening(server);
    const result = await sender().post(post(origin));
    expect(seen).toEqual([{ method: 'POST', url: '/hook?x=1', id: 'msg_1', body: '{"a":1}' }]);
    expect(result).toMatchObject({ kind: 'response', status: 202, truncated: false });
    if (result.kind !== 'response') return;
    expect(result.body.toString()).toBe('thanks');
    expect(result.headers['x-two']).toBe('a, b');
  });

  it('sends OPTIONS without a body, by the same rules', async () => {
    const seen: unknown[] = [];
    const { origin } = await receiver(({ method, url, headers }, response) => {
      seen.push([method, url, headers['content-length'], headers['webhook-request-origin']]);
      response.writeHead(302, { location: '/elsewhere', 'webhook-allowed-origin': '*' }).end();
    });
    const asked = { method: 'OPTIONS', headers: { 'webhook-request-origin': 'o' }, body: Buffer.alloc(0) } as const;
    const result = await sender().post(post(origin, asked));
    expect(result).toMatchObject({ kind: 'response', status: 302, headers: { 'webhook-allowed-origin': '*' } });
    expect(seen).toEqual([['OPTIONS', '/hook?x=1', undefined, 'o']]);
    expect(errorOf(await sender({ rules: strictRules }).post(post(origin, asked)))).toBe('guard');
  });

  it('compresses a body that is to go out gzipped', async () => {
    const seen: { length: number; body: string }[] = [];
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const length = Number(request.headers['content-length']);
        seen.push({ length, body: gunzipSync(Buffer.concat(chunks)).toString() });
        response.end();
      });
    });
    const { origin } = await listening(server);
    const body = Buffer.from('a'.repeat(10_000));
    const result = await sender().post(post(origin, { body, encoding: 'gzip' }));
    expect(result).toMatchObject({ kind: 'response', status: 200 });
    expect(seen).toEqual([{ length: expect.any(Number) as number, body: body.toString() }]);
    expect(seen[0]?.length).toBeLessThan(200);
  });

  it('sends nothing of a body whose time was over before it was compressed', async () => {
    let requests = 0;
    const { origin } = await receiver((_, response) => {
      requests += 1;
      response.end();
    });
    const http = sender();
    // Random: it takes its time to find nothing to compress.
    const body = randomBytes(8_000_000);
    expect(errorOf(await http.post(post(origin, { body, encoding: 'gzip', timeoutMs: 1 })))).toBe('total-timeout');
    await http.post(post(origin));
    expect(requests).toBe(1);
  });

  it('never follows a redirect', async () => {
    let requests = 0;
    const { origin } = await receiver((_, response) => {
      requests += 1;
      response.writeHead(302, { location: '/elsewhere' }).end();
    });
    expect(await sender().post(post(origin))).toMatchObject({ kind: 'response', status: 302 });
    expect(requests).toBe(1);
  });

  it('uses a connection again, and no more of them than asked for', async () => {
    const { origin, connections } = await receiver((_, response) => response.end('ok'));
    const http = sender({ connectionsPerOrigin: 3 });
    for (let i = 0; i < 5; i += 1) await http.post(post(origin));
    // One more: a request made in the very tick of an answer finds its connection not yet free.
    expect(connections()).toBeLessThanOrEqual(2);
    const results = await Promise.all(Array.from({ length: 20 }, () => http.post(post(origin))));
    expect(results.every((one) => one.kind === 'response')).toBe(true);
    expect(connections()).toBeLessThanOrEqual(3);
  });

  it('keeps the first bytes of a long answer, and the connection if the rest is not too long', async () => {
    const { origin, connections } = await receiver((_, response) => response.end('x'.repeat(30_000)));
    const http = sender();
    for (let i = 0; i < 6; i += 1) {
      const result = await http.post(post(origin));
      expect(result).toMatchObject({ kind: 'response', status: 200, truncated: true });
      expect(result.kind === 'response' && result.body.length).toBe(4_096);
    }
    expect(connections()).toBeLessThanOrEqual(2);
    // One that is wanted whole says so.
    const whole = await http.post(post(origin, { keptAnswerBytes: 30_000 }));
    expect(whole).toMatchObject({ truncated: false, body: Buffer.alloc(30_000, 'x') });
  });

  it('cuts an endless answer, with the status that was given', async () => {
    const { origin } = await receiver((_, response) => {
      const more = setInterval(() => response.write('x'.repeat(60_000)), 1);
      response.on('close', () => clearInterval(more));
    });
    expect(await sender().post(post(origin))).toMatchObject({ kind: 'response', status: 200, truncated: true });
  });

  it('tells the errors apart', async () => {
    const http = sender({ headersTimeoutMs: 150, bodyTimeoutMs: 150, connectTimeoutMs: 500 });
    const silent = await receiver(() => undefined);
    const stalls = await receiver((_, response) => void response.writeHead(200).write('half'));
    const garbage = await tcp((socket) => socket.once('data', () => socket.write('SSH-2.0-hello\r\n\r\n')));
    const closes = await tcp((socket) => socket.once('data', () => socket.destroy()));
    const plain = (await receiver((_, response) => response.end())).origin.replace('http:', 'https:');
    const gone = createTcpServer().listen(0, '127.0.0.1');
    await once(gone, 'listening');
    const { port } = gone.address() as AddressInfo;
    gone.close();
    await once(gone, 'close');

    expect(errorOf(await http.post(post(silent.origin)))).toBe('headers-timeout');
    expect(errorOf(await http.post(post(stalls.origin)))).toBe('body-timeout');
    expect(errorOf(await http.post(post(silent.origin, { timeoutMs: 60 })))).toBe('total-timeout');
    expect(errorOf(await http.post(post(`http://${garbage}`)))).toBe('protocol');
    expect(errorOf(await http.post(post(`http://${closes}`)))).toBe('reset');
    expect(errorOf(await http.post(post(plain)))).toBe('tls');
    expect(errorOf(await http.post(post(`http://127.0.0.1:${port}`)))).toBe('refused');
    expect(errorOf(await http.post(post('http://nowhere.invalid')))).toBe('dns');
    expect(errorOf(await http.post(post('nonsense')))).toBe('undeliverable');
    expect(errorOf(await http.post(post(silent.origin, { headers: { 'x-a': 'a\nb' } })))).toBe('undeliverable');
  });

  it('does not send what waited for a connection until its time was over', async () => {
    let requests = 0;
    const { origin } = await receiver((_, response) => {
      requests += 1;
      setTimeout(() => response.end(), 200);
    });
    const http = sender({ connectionsPerOrigin: 1 });
    const first = http.post(post(origin));
    expect(errorOf(await http.post(post(origin, { timeoutMs: 50 })))).toBe('total-timeout');
    expect(errorOf(await first)).toBe('answer 200');
    expect(errorOf(await http.post(post(origin)))).toBe('answer 200');
    expect(requests).toBe(2);
  });

  it('lets go of origins that are idle or too many, and opens them again', async () => {
    const { origin, connections } = await receiver((_, response) => response.end());
    const other = await receiver((_, response) => response.end());
    const http = sender({ maxOrigins: 1, originIdleMs: 200 });
    await http.post(post(origin));
    await http.post(post(other.origin));
    expect(errorOf(await http.post(post(origin)))).toBe('answer 200');
    expect(connections()).toBe(2);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(errorOf(await http.post(post(origin)))).toBe('answer 200');
    expect(connections()).toBe(3);
  });

  it('cuts what is on its way when it is closed, and sends nothing afterwards', async () => {
    const { origin } = await receiver(() => undefined);
    const http = createHttpSender({ rules });
    const pending = http.post(post(origin));
    await new Promise((resolve) => setTimeout(resolve, 50));
    await http.close();
    expect(errorOf(await pending)).toBe('aborted');
    expect(errorOf(await http.post(post(origin)))).toBe('aborted');
  });
});
