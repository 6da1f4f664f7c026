import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testAuthority, type TestAuthority } from '#libs/testing';
import { HttpRegistry } from './http-registry.js';

/** Real: HTTPS, with a certificate of an authority that nobody knows but who is told. Doubled: the registry behind it. */
describe('a registry behind TLS, with a password', () => {
  let authority: TestAuthority;
  let server: Server;
  let host: string;
  const asked: (string | undefined)[] = [];

  beforeAll(async () => {
    authority = await testAuthority('Posthorn Test Root');
    const { cert, key } = await authority.issue('registry', ['127.0.0.1']);
    server = createServer({ cert, key }, (request, answer) => {
      asked.push(request.headers.authorization);
      const isKnown = request.headers.authorization === `Basic ${btoa('posthorn:it@s:secret')}`;
      answer.writeHead(isKnown ? 200 : 401, { 'content-type': 'application/json' });
      answer.end(isKnown ? '["task.updated"]' : '{"message":"who are you?"}');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server?.closeAllConnections();
    server?.close();
  });
  const registry = (user: string, ca?: string): HttpRegistry =>
    new HttpRegistry({ registryUrl: `https://${user}${host}`, ...(ca === undefined ? {} : { ca }) }, 5_000);

  it('is asked with user and password of its URL', async () => {
    expect(await registry('posthorn:it%40s%3Asecret@', authority.ca).subjects()).toEqual(['task.updated']);
  });

  it('that refuses says so, and the password stays out of it', async () => {
    const failure = await registry('posthorn:wrong-password@', authority.ca)
      .subjects()
      .then(() => '', String);
    expect(failure).toMatch(/answers 401 to GET \/subjects: who are you\?/);
    expect(failure).not.toContain('wrong-password');
  });

  it('that a stranger vouches for is told nothing', async () => {
    asked.length = 0;
    await expect(registry('posthorn:it%40s%3Asecret@').subjects()).rejects.toThrow(/does not answer: .*certificate/);
    const another = (await testAuthority('Another Root')).ca;
    await expect(registry('posthorn:it%40s%3Asecret@', another).subjects()).rejects.toThrow(/does not answer/);
    expect(asked).toEqual([]);
  });
});
