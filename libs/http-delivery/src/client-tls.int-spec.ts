// Real: the sender, TLS on loopback, a name server, certificates of two authorities of the test's own. Facts: results, and
// what the servers saw of names and client certificates.
import { createServer, type Server } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { defaultPorts, networkRules } from '#libs/core';
import { testAuthority, type Issued, type TestAuthority } from '#libs/testing';
import { startDnsServer } from './dns-server.fixture.js';
import { createHttpSender, type ClientTls, type HttpSender, type HttpSenderOptions } from './index.js';
import { closed, listening } from './listeners.fixture.js';

const open = '127.0.0.2';
const rules = networkRules({ allowHttp: false, allowedRanges: [open], allowedPorts: defaultPorts });

let ours: TestAuthority;
let theirs: TestAuthority;
let serverOf: { readonly name: Issued; readonly address: Issued; readonly expired: Issued };
let client: Issued;
const closers: (() => Promise<unknown> | void)[] = [];

beforeAll(async () => {
  [ours, theirs] = await Promise.all([testAuthority('ours'), testAuthority('theirs')]);
  const [name, address, expired] = await Promise.all([
    ours.issue('server', ['hooks.example']),
    ours.issue('server', [open]),
    ours.issue('server', ['hooks.example'], -1),
  ]);
  serverOf = { name, address, expired };
  client = await ours.issue('posthorn');
});

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

interface Seen {
  readonly server: Server;
  readonly port: number;
  readonly connections: () => number;
  /** Per request: the name that was asked for, and the client certificate's. */
  readonly requests: { readonly sni: string | false; readonly client: string | undefined; readonly resumed: boolean }[];
}

async function startServer(issued: Issued, more: { requestCert?: boolean; ca?: string } = {}): Promise<Seen> {
  const requests: Seen['requests'] = [];
  const server = createServer({ ...issued, ...more, rejectUnauthorized: true }, (request, response) => {
    const socket = request.socket as TLSSocket & { servername: string | false };
    const commonName: unknown = socket.getPeerCertificate().subject?.CN;
    requests.push({
      sni: socket.servername,
      client: typeof commonName === 'string' ? commonName : undefined,
      resumed: socket.isSessionReused(),
    });
    request.resume().on('end', () => response.writeHead(204).end());
  });
  closers.push(() => closed(server));
  return { server, ...(await listening(server, open, 0)), requests };
}

async function sender(options: HttpSenderOptions = {}): Promise<HttpSender> {
  const dns = await startDnsServer(() => ({ addresses: [open] }));
  const http = createHttpSender({ rules, dnsServers: [dns.address], ...options });
  closers.push(dns.close, () => http.close());
  return http;
}

async function post(http: HttpSender, host: string, { port }: Seen, tls?: ClientTls): Promise<string> {
  const result = await http.post({
    origin: `https://${host}:${port}`,
    path: '/',
    headers: {},
    body: Buffer.from('{}'),
    encoding: 'identity',
    timeoutMs: 5_000,
    ...(tls === undefined ? {} : { tls }),
  });
  // A request made in the very tick of an answer finds its connection not yet free.
  await new Promise(setImmediate);
  return result.kind === 'error' ? result.error.kind : `answer ${result.status}`;
}

describe('TLS per request', () => {
  it('connects to the address, and asks for the name and finds it in the certificate', async () => {
    const server = await startServer(serverOf.name);
    expect(await post(await sender(), 'hooks.example', server, { ca: ours.ca })).toBe('answer 204');
    expect(server.requests).toEqual([{ sni: 'hooks.example', client: undefined, resumed: false }]);
  });

  it('finds the address in the certificate where the URL has one', async () => {
    const server = await startServer(serverOf.address);
    expect(await post(await sender(), open, server, { ca: ours.ca })).toBe('answer 204');
    expect(server.requests[0]?.sni).toBe(false);
  });

  it('takes no certificate for another name, of another authority, or past its end', async () => {
    const http = await sender();
    const named = await startServer(serverOf.name);
    const expired = await startServer(serverOf.expired);
    expect(await post(http, 'other.example', named, { ca: ours.ca })).toBe('tls');
    expect(await post(http, open, named, { ca: ours.ca })).toBe('tls');
    expect(await post(http, 'hooks.example', named, { ca: theirs.ca })).toBe('tls');
    expect(await post(http, 'hooks.example', named)).toBe('tls');
    expect(await post(http, 'hooks.example', expired, { ca: ours.ca })).toBe('tls');
    expect([...named.requests, ...expired.requests]).toEqual([]);
  });

  it('trusts nothing more because Node was told to', async () => {
    const before = process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
    try {
      expect(await post(await sender(), 'hooks.example', await startServer(serverOf.name))).toBe('tls');
    } finally {
      if (before === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
      else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = before;
    }
  });

  it('asks for another name where it is told one', async () => {
    const server = await startServer(serverOf.name);
    const http = await sender();
    expect(await post(http, open, server, { ca: ours.ca, servername: 'hooks.example' })).toBe('answer 204');
    expect(server.requests[0]?.sni).toBe('hooks.example');
  });

  it('shows its certificate to a server that wants one, and is sent away without', async () => {
    const server = await startServer(serverOf.name, { requestCert: true, ca: ours.ca });
    const http = await sender();
    const { ca } = ours;
    expect(await post(http, 'hooks.example', server, { ca, ...client })).toBe('answer 204');
    expect(await post(http, 'hooks.example', server, { ca })).toMatch(/^(tls|reset)$/);
    expect(await post(http, 'hooks.example', server, { ca, ...(await theirs.issue('stranger')) })).toMatch(
      /^(tls|reset)$/,
    );
    expect(server.requests.map((one) => one.client)).toEqual(['posthorn']);
  });

  it('never uses a connection that was made with another certificate; shares those of equal ones', async () => {
    const server = await startServer(serverOf.name, { requestCert: true, ca: ours.ca });
    const http = await sender();
    const other = await ours.issue('other');
    const tls = { ca: ours.ca, ...client };
    for (const one of [tls, { ca: ours.ca, ...other }, tls, { ...tls }]) {
      expect(await post(http, 'hooks.example', server, one)).toBe('answer 204');
    }
    expect(server.requests.map((one) => one.client)).toEqual(['posthorn', 'other', 'posthorn', 'posthorn']);
    expect(server.connections()).toBe(2);
  });

  it('holds no more pools than it may, whatever certificates there are', async () => {
    const server = await startServer(serverOf.name);
    const http = await sender({ maxOrigins: 1 });
    const first = { ca: ours.ca };
    for (const tls of [first, { ca: `${ours.ca}\n${theirs.ca}` }, first]) {
      expect(await post(http, 'hooks.example', server, tls)).toBe('answer 204');
    }
    // The first one's was closed to make room for the second's.
    expect(server.connections()).toBe(3);
  });

  it('goes on with a session instead of a whole handshake', async () => {
    const server = await startServer(serverOf.name);
    const http = await sender({ keepAliveMs: 100 });
    const tls = { ca: ours.ca };
    expect(await post(http, 'hooks.example', server, tls)).toBe('answer 204');
    server.server.closeIdleConnections();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await post(http, 'hooks.example', server, tls)).toBe('answer 204');
    expect(server.requests.map((one) => one.resumed)).toEqual([false, true]);
  });

  it('says so when certificates cannot be used, as a failure that may be mended', async () => {
    const server = await startServer(serverOf.name);
    const http = await sender();
    const other = await ours.issue('other');
    expect(await post(http, 'hooks.example', server, { cert: 'no', key: 'no' })).toBe('tls');
    expect(await post(http, 'hooks.example', server, { cert: client.cert, key: other.key })).toBe('tls');
    expect(await post(http, 'hooks.example', server, { cert: client.cert })).toBe('tls');
  });
});
