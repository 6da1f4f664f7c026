// Real: the sender, forward proxies, TLS and a name server on loopback. 127.0.0.2, which is allowed, stands for the public
// network. Facts: results, what the proxy was asked for, what the receiver saw.
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { connect, type Socket } from 'node:net';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { defaultPorts, networkRules } from '#libs/core';
import { testAuthority, type Issued, type TestAuthority } from '#libs/testing';
import { startDnsServer, type DnsServer } from './dns-server.fixture.js';
import { createHttpSender, type HttpSender, type HttpSenderOptions } from './index.js';
import { closed, joined, listening, startForbidden, startReceiver } from './listeners.fixture.js';

const open = '127.0.0.2';
const shut = '127.0.0.3';
const rules = networkRules({ allowHttp: true, allowedRanges: [open], allowedPorts: defaultPorts });

let authority: TestAuthority;
let issued: Issued;
beforeAll(async () => {
  authority = await testAuthority('ours');
  issued = await authority.issue('server', ['hooks.example']);
});

const closers: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

interface TestProxy {
  readonly url: string;
  readonly asked: {
    readonly target: string | undefined;
    readonly host: string | undefined;
    readonly login: string | undefined;
  }[];
}

/** Connects to whatever it is asked for, or answers with `status`. Its own address, 127.0.0.1, is not an allowed one. */
async function startProxy(status = 200, secure?: Issued): Promise<TestProxy> {
  const asked: TestProxy['asked'] = [];
  const server: Server = secure === undefined ? createServer() : createSecureServer(secure);
  server.on('connect', (request: IncomingMessage, socket: Socket) => {
    asked.push({ target: request.url, host: request.headers.host, login: request.headers['proxy-authorization'] });
    if (status !== 200) {
      socket.end(`HTTP/1.1 ${status} no\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    const { hostname, port } = new URL(`http://${request.url}`);
    const target = connect({ host: hostname, port: Number(port) }, () => {
      socket.write('HTTP/1.1 200 ok\r\n\r\n');
      joined(socket, target);
    });
  });
  const { port } = await listening(server, '127.0.0.1', 0);
  closers.push(() => closed(server));
  return { url: `${secure === undefined ? 'http' : 'https'}://127.0.0.1:${port}`, asked };
}

async function startSecure(): Promise<{ port: number; names: (string | undefined)[] }> {
  const names: (string | undefined)[] = [];
  const server = createSecureServer(issued, (request, response) => {
    names.push(request.headers.host);
    request.resume().on('end', () => response.writeHead(204).end());
  });
  closers.push(() => closed(server));
  return { ...(await listening(server, open, 0)), names };
}

function sender(dns: DnsServer, options: HttpSenderOptions): HttpSender {
  const http = createHttpSender({ rules, dnsServers: [dns.address], connectTimeoutMs: 1_000, ...options });
  closers.push(dns.close, () => http.close());
  return http;
}

const leadingTo = (...addresses: string[]): Promise<DnsServer> => startDnsServer(() => ({ addresses }));

async function post(http: HttpSender, origin: string): Promise<string> {
  const result = await http.post({
    origin,
    path: '/',
    headers: {},
    body: Buffer.from('{}'),
    encoding: 'identity',
    timeoutMs: 5_000,
    tls: { ca: authority.ca },
  });
  return result.kind === 'error' ? `${result.error.kind}: ${result.error.message}` : `answer ${result.status}`;
}

describe('a proxy', () => {
  it('is asked for the address that was looked at, and the name stands only inside of the tunnel', async () => {
    const proxy = await startProxy();
    const { port, names } = await startSecure();
    const http = sender(await leadingTo(open), { proxy: { url: proxy.url, forHttp: false, bypass: [] } });
    expect(await post(http, `https://hooks.example:${port}`)).toBe('answer 204');
    expect(proxy.asked).toEqual([{ target: `${open}:${port}`, host: `${open}:${port}`, login: undefined }]);
    expect(names).toEqual([`hooks.example:${port}`]);
  });

  it('is asked for nothing that the guard refuses', async () => {
    const proxy = await startProxy();
    const { port } = await startSecure();
    const forbidden = await startForbidden(shut, port);
    closers.push(forbidden.close);
    const options = { proxy: { url: proxy.url, forHttp: true, bypass: [] } };
    const http = sender(await leadingTo(shut), options);
    expect(await post(http, `https://hooks.example:${port}`)).toMatch(/^guard: /);
    expect(await post(http, `https://${shut}:${port}`)).toMatch(/^guard: /);
    expect(await post(http, `http://${shut}:${port}`)).toMatch(/^guard: /);
    expect(proxy.asked).toEqual([]);
    expect([forbidden.connections(), forbidden.bytes()]).toEqual([0, 0]);
  });

  it('is told who asks, where its URL says so', async () => {
    const proxy = await startProxy();
    const { port } = await startSecure();
    const url = proxy.url.replace('//', '//user:p%40ss@');
    const http = sender(await leadingTo(open), { proxy: { url, forHttp: false, bypass: [] } });
    expect(await post(http, `https://hooks.example:${port}`)).toBe('answer 204');
    expect(proxy.asked[0]?.login).toBe(`Basic ${Buffer.from('user:p@ss').toString('base64')}`);
  });

  it('carries http only where it is to', async () => {
    const proxy = await startProxy();
    const receiver = await startReceiver(open);
    closers.push(receiver.close);
    const origin = `http://hooks.example:${receiver.port}`;
    const [dns, again] = [await leadingTo(open), await leadingTo(open)];
    expect(await post(sender(dns, { proxy: { url: proxy.url, forHttp: false, bypass: [] } }), origin)).toBe(
      'answer 204',
    );
    expect(proxy.asked).toEqual([]);
    expect(await post(sender(again, { proxy: { url: proxy.url, forHttp: true, bypass: [] } }), origin)).toBe(
      'answer 204',
    );
    expect(proxy.asked).toHaveLength(1);
    expect(receiver.hosts).toEqual(Array(2).fill(`hooks.example:${receiver.port}`));
  });

  it('may itself be spoken to by TLS, if its certificate is trusted on this machine', async () => {
    const proxy = await startProxy(200, await authority.issue('proxy', ['127.0.0.1']));
    const { port } = await startSecure();
    const origin = `https://hooks.example:${port}`;
    const options = { proxy: { url: proxy.url, forHttp: false, bypass: [] } };
    expect(await post(sender(await leadingTo(open), options), origin)).toMatch(/^proxy: the proxy cannot be reached/);
    const before = getCACertificates('default');
    setDefaultCACertificates([...before, authority.ca]);
    try {
      expect(await post(sender(await leadingTo(open), options), origin)).toBe('answer 204');
    } finally {
      setDefaultCACertificates(before);
    }
    expect(proxy.asked.map(({ target }) => target)).toEqual([`${open}:${port}`]);
  });

  it('is left out for what NO_PROXY names', async () => {
    const proxy = await startProxy();
    const { port } = await startSecure();
    const http = sender(await leadingTo(open), { proxy: { url: proxy.url, forHttp: false, bypass: ['127.0.0.0/8'] } });
    expect(await post(http, `https://hooks.example:${port}`)).toBe('answer 204');
    expect(proxy.asked).toEqual([]);
  });

  it.each([
    [502, 'refused: the proxy answered 502'],
    [504, 'connect-timeout: the proxy answered 504'],
    [407, 'proxy: the proxy answered 407'],
  ])('that answers %i: %s', async (status, result) => {
    const proxy = await startProxy(status);
    const http = sender(await leadingTo(open), { proxy: { url: proxy.url, forHttp: false, bypass: [] } });
    expect(await post(http, 'https://hooks.example')).toBe(result);
    expect(proxy.asked.map(({ target }) => target)).toEqual([`${open}:443`]);
  });

  it('that is not there is at fault itself', async () => {
    const http = sender(await leadingTo(open), {
      proxy: { url: 'http://127.0.0.1:1', forHttp: false, bypass: [] },
    });
    expect(await post(http, 'https://hooks.example')).toMatch(/^proxy: the proxy cannot be reached: /);
  });

  it('that says nothing is given up in time', async () => {
    const silent = await startForbidden('127.0.0.1', 0);
    closers.push(silent.close);
    const http = sender(await leadingTo(open), {
      connectTimeoutMs: 200,
      proxy: { url: `http://127.0.0.1:${silent.port}`, forHttp: false, bypass: [] },
    });
    expect(await post(http, 'https://hooks.example')).toBe('connect-timeout: no connection within 200 ms');
  });
});
