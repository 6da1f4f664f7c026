// Real: the sender, sockets and a name server on loopback. 127.0.0.2, which is allowed, stands for the public
// network, 127.0.0.3 for what is forbidden. Facts: results, and what the listener at the forbidden address has read.
import { networkInterfaces } from 'node:os';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { defaultPorts, networkRules, type PostResult } from '#libs/core';
import { startDnsServer, type DnsServer, type Zone } from './dns-server.fixture.js';
import { createHttpSender, type HttpSender, type HttpSenderOptions } from './index.js';
import { startForbidden, startReceiver, type Forbidden, type Handler, type Receiver } from './listeners.fixture.js';

const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'));
const open = '127.0.0.2';
const shut = '127.0.0.3';
const rules = networkRules({ allowHttp: true, allowedRanges: [open], allowedPorts: defaultPorts });

let receiver: Receiver;
let forbidden: Forbidden;
let handle: Handler;
const closers: (() => Promise<void> | void)[] = [];

beforeEach(async () => {
  handle = (_, response) => void response.writeHead(204).end();
  receiver = await startReceiver(open, (request, response) => handle(request, response));
  forbidden = await startForbidden(shut, receiver.port);
  closers.push(receiver.close, forbidden.close);
});

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function dnsOf(answer: (name: string, round: number) => Zone | null | undefined): Promise<DnsServer> {
  const dns = await startDnsServer(answer);
  closers.push(dns.close);
  return dns;
}

function sender(options: HttpSenderOptions): HttpSender {
  const made = createHttpSender({ rules, ...options });
  closers.push(() => made.close());
  return made;
}

async function post(http: HttpSender, host: string, { port } = receiver): Promise<string> {
  const result = await http.post({
    origin: `http://${host}:${port}`,
    path: '/hook',
    headers: {},
    body: Buffer.from('{}'),
    encoding: 'identity',
    timeoutMs: 5_000,
  });
  // A request made in the very tick of an answer finds its connection not yet free.
  await new Promise(setImmediate);
  return inWords(result);
}

const inWords = (result: PostResult): string =>
  result.kind === 'error' ? `${result.error.kind}: ${result.error.message}` : `answer ${result.status}`;

const untouched = (): void => expect([forbidden.connections(), forbidden.bytes()]).toEqual([0, 0]);

const refused = (host: string): string => `guard: ${host} leads to a forbidden address: loopback (RFC 1122)`;

describe('invariant 7: the guard', () => {
  it('sends to a name that leads to an open address, and says the name', async () => {
    const dns = await dnsOf(() => ({ addresses: [open] }));
    expect(await post(sender({ dnsServers: [dns.address] }), 'hooks.example')).toBe('answer 204');
    expect(receiver.hosts).toEqual([`hooks.example:${receiver.port}`]);
  });

  it('asks once per connection and goes where that answer leads, though the next one would differ', async () => {
    const dns = await dnsOf((_, round) => ({ addresses: [round === 0 ? open : shut] }));
    const http = sender({ dnsServers: [dns.address] });
    expect(await post(http, 'rebind.example')).toBe('answer 204');
    // A and AAAA.
    expect(dns.questions).toEqual(['rebind.example', 'rebind.example']);
    // The connection is kept: no name is asked for, and nothing can change.
    expect(await post(http, 'rebind.example')).toBe('answer 204');
    expect(dns.questions).toHaveLength(2);
    expect(receiver.connections()).toBe(1);
    untouched();
  });

  it('refuses the next connection when DNS has changed to a forbidden address', async () => {
    handle = (_, response) => void response.writeHead(204, { connection: 'close' }).end();
    const dns = await dnsOf((_, round) => ({ addresses: [round === 0 ? open : shut] }));
    const http = sender({ dnsServers: [dns.address] });
    expect(await post(http, 'rebind.example')).toBe('answer 204');
    expect(await post(http, 'rebind.example')).toBe(refused('rebind.example'));
    untouched();
  });

  it('sends again when DNS is mended: a refusal is not remembered', async () => {
    const dns = await dnsOf((_, round) => ({ addresses: [round === 0 ? shut : open] }));
    const http = sender({ dnsServers: [dns.address] });
    expect(await post(http, 'mended.example')).toBe(refused('mended.example'));
    expect(await post(http, 'mended.example')).toBe('answer 204');
    untouched();
  });

  it('follows a CNAME to the address, and refuses that', async () => {
    const dns = await dnsOf((name) => ({
      cname: 'inner.internal',
      addresses: [name === 'open.example' ? open : shut],
    }));
    const http = sender({ dnsServers: [dns.address] });
    expect(await post(http, 'open.example')).toBe('answer 204');
    expect(await post(http, 'shut.example')).toBe(refused('shut.example'));
    untouched();
  });

  it.each([
    ['of one family', [open, shut]],
    ['of one family, the other way round', [shut, open]],
    ['of both families', [open, '::1']],
    ['with a mapped one', [open, `::ffff:${shut}`]],
  ])('refuses a name with an open and a forbidden address %s', async (_, addresses) => {
    const dns = await dnsOf(() => ({ addresses }));
    expect(await post(sender({ dnsServers: [dns.address] }), 'mixed.example')).toMatch(
      /^guard: mixed\.example leads to/,
    );
    expect(receiver.connections()).toBe(0);
    untouched();
  });

  it.each([
    ['IPv4-mapped', `::ffff:${shut}`],
    ['NAT64', '64:ff9b::7f00:3'],
    ['6to4', '2002:7f00:3::1'],
    ['Teredo', '2001:0:7f00:3::80ff:fffc'],
    ['IPv4-compatible', `::${shut}`],
    ['metadata', '169.254.169.254'],
    ['metadata over IPv6', 'fd00:ec2::254'],
    ['private', '10.0.0.1'],
    ['unspecified', '0.0.0.0'],
  ])('refuses an answer in %s form', async (_, address) => {
    const dns = await dnsOf(() => ({ addresses: [address] }));
    expect(await post(sender({ dnsServers: [dns.address] }), 'hooks.example')).toMatch(/^guard: /);
    untouched();
  });

  it('connects to a mapped address that is open as what it stands for', async () => {
    const dns = await dnsOf(() => ({ addresses: [`::ffff:${open}`] }));
    expect(await post(sender({ dnsServers: [dns.address] }), 'mapped.example')).toBe('answer 204');
  });

  it.each([
    shut,
    '2130706435',
    '017700000003',
    '0x7f000003',
    '127.3',
    '0177.0.0.03',
    '0x7f.3',
    '[::ffff:127.0.0.3]',
    '[::ffff:7f00:3]',
  ])('refuses %s, without asking anybody', async (host) => {
    const dns = await dnsOf(() => ({ addresses: [open] }));
    expect(await post(sender({ dnsServers: [dns.address] }), host)).toBe(
      'guard: the URL must not lead to loopback (RFC 1122)',
    );
    expect(dns.questions).toEqual([]);
    untouched();
  });

  it.each(['localhost', 'a.localhost', 'localhost.'])('refuses %s', async (host) => {
    expect(await post(sender({}), host)).toMatch(/^guard: /);
    expect(receiver.connections()).toBe(0);
  });

  it('sends to an open address in whatever form', async () => {
    const http = sender({});
    expect(await Promise.all(['127.0.0.2', '2130706434', '0x7f.2'].map((host) => post(http, host)))).toEqual(
      Array(3).fill('answer 204'),
    );
  });

  it.runIf(hasIpv6)('sends over IPv6 where that is open, and does not where it is not', async () => {
    const six = await startReceiver('::1');
    closers.push(six.close);
    const dns = await dnsOf(() => ({ addresses: ['::1'] }));
    const options = { dnsServers: [dns.address] };
    const allowed = networkRules({ allowHttp: true, allowedRanges: ['::1'], allowedPorts: defaultPorts });
    for (const host of ['six.example', '[::1]', '[0:0::0001]']) {
      expect(await post(sender({ ...options, rules: allowed }), host, six)).toBe('answer 204');
      expect(await post(sender(options), host, six)).toMatch(/^guard: .* loopback \(RFC 4291\)$/);
    }
    expect(six.hosts).toHaveLength(3);
  });

  it('follows no redirect to a forbidden address', async () => {
    handle = (_, response) => void response.writeHead(307, { location: `http://${shut}:${receiver.port}/` }).end();
    expect(await post(sender({}), open)).toBe('answer 307');
    untouched();
  });

  it('is strict where nothing else is said: no http, no loopback', async () => {
    const http = createHttpSender();
    closers.push(() => http.close());
    expect(await post(http, open)).toBe('guard: the URL must begin with https://');
    const secure = { origin: `https://${open}:${receiver.port}`, path: '/', headers: {}, body: Buffer.alloc(0) };
    const result = await http.post({ ...secure, encoding: 'identity', timeoutMs: 5_000 });
    expect(inWords(result)).toBe('guard: the URL must not lead to loopback (RFC 1122)');
    expect(receiver.connections()).toBe(0);
  });

  it('keeps to the ports that are allowed', async () => {
    const http = sender({ rules: networkRules({ allowHttp: true, allowedRanges: [open], allowedPorts: ['443'] }) });
    expect(await post(http, open)).toBe(`guard: the URL must have one of the ports 443, not ${receiver.port}`);
    expect(receiver.connections()).toBe(0);
  });

  it('tells a name that is not there from one that cannot be found out, and from one that must not be sent to', async () => {
    const dns = await dnsOf((name) => (name === 'silent.example' ? undefined : null));
    const http = sender({ dnsServers: [dns.address], connectTimeoutMs: 300 });
    expect(await post(http, 'nowhere.example')).toBe('dns: nowhere.example has no address');
    expect(await post(http, 'silent.example')).toBe('connect-timeout: no connection within 300 ms');
  });

  it('shares one question among all that wait for a name, and lets those for other names pass', async () => {
    const dns = await dnsOf((name) => (name === 'silent.example' ? undefined : { addresses: [open] }));
    const http = sender({ dnsServers: [dns.address], connectTimeoutMs: 1_500 });
    const waiting = Promise.all(Array.from({ length: 8 }, () => post(http, 'silent.example')));
    // More than libuv has threads: with getaddrinfo the next one would have to wait.
    expect(await post(http, 'hooks.example')).toBe('answer 204');
    expect(dns.questions.filter((name) => name === 'silent.example')).toHaveLength(2);
    expect(await waiting).toEqual(Array(8).fill('connect-timeout: no connection within 1500 ms'));
  });

  it('takes the next address where nothing listens at the first', async () => {
    const others = networkRules({ allowHttp: true, allowedRanges: ['127.0.0.0/8'], allowedPorts: defaultPorts });
    const dns = await dnsOf(() => ({ addresses: ['127.0.0.4', open] }));
    expect(await post(sender({ rules: others, dnsServers: [dns.address] }), 'two.example')).toBe('answer 204');
  });
});
