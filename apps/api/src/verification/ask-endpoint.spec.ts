import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { formatSecret, sealEnvelope, unverified, type Authentication, type PostResult } from '#libs/core';
import type { HttpPost } from '#libs/http-delivery';
import type { Endpoint } from '#libs/persistence';
import { anEndpoint as anyEndpoint } from '../../test/an-endpoint.js';
import { EndpointAsking } from './ask-endpoint.js';

// Doubled: HTTP, the clock. What goes out and what is kept of it.
const masterKeys = new Map([[1, randomBytes(32)]]);
const now = 1_700_000_000_000;
let sent: HttpPost[];
let answer: (post: HttpPost) => PostResult;
let asking: EndpointAsking;

const answered = (body: string, headers: Record<string, string> = {}, status = 200): PostResult => ({
  kind: 'response',
  status,
  headers,
  body: Buffer.from(body),
  truncated: false,
  durationMs: 1,
});
const echo = ({ body }: HttpPost): PostResult => {
  const { data } = JSON.parse(body.toString()) as { data: object };
  return answered(JSON.stringify(data));
};

beforeEach(() => {
  sent = [];
  answer = echo;
  const sender = {
    post(post: HttpPost) {
      sent.push(post);
      return Promise.resolve(answer(post));
    },
  };
  asking = new EndpointAsking(
    { sender, masterKeys, now: () => now, newId: () => '1', randomBytes },
    { origin: 'hooks.example.com', publicUrl: 'https://posthorn.example' },
  );
});

const seal = (text: string): string => sealEnvelope(masterKeys, text, 'ep_1', randomBytes);
const anEndpoint = (changes: Partial<Endpoint> = {}): Endpoint =>
  anyEndpoint({
    url: 'https://acme.example/in?x=1',
    timeoutMs: 60_000,
    secrets: [
      {
        secretId: 's',
        kind: 'hmac',
        ciphertext: seal(formatSecret(randomBytes(32))),
        publicKey: null,
        createdAt: now,
        expiresAt: null,
      },
    ],
    ...changes,
  });
const shown = (authentication: Authentication) => ({ sealedAuthentication: seal(JSON.stringify(authentication)) });
const challenge = unverified('challenge', 1, now);

describe('what is sent', () => {
  it('has no longer than ten seconds, and goes to the path and query of the URL', async () => {
    await asking.ask(anEndpoint(), challenge);
    await asking.ask(anEndpoint({ timeoutMs: 500 }), challenge);
    expect(sent.map(({ timeoutMs }) => timeoutMs)).toEqual([10_000, 500]);
    expect(sent[0]).toMatchObject({ method: 'POST', origin: 'https://acme.example', path: '/in?x=1' });
  });

  it('is signed anew each time, with another challenge', async () => {
    await asking.ask(anEndpoint(), challenge);
    await asking.ask(anEndpoint(), challenge);
    expect(new Set(sent.map(({ body }) => body.toString())).size).toBe(2);
  });

  it('is nothing where nothing could be signed', async () => {
    const [secret] = anEndpoint().secrets;
    const ended = anEndpoint({ secrets: [{ ...secret!, expiresAt: now }] });
    expect(await asking.ask(ended, challenge)).toMatchObject({
      verdict: { verified: false, reason: 'no-secret' },
      exchange: null,
    });
    expect(sent).toEqual([]);
  });
});

describe('an endpoint’s credentials', () => {
  const token = 'a-token-of-some-length';

  it('are shown as with each delivery, and hidden in what is kept, also where it repeats them', async () => {
    answer = (post) => answered(`you sent ${post.headers['authorization']}`, { 'x-got': `Bearer ${token}` }, 401);
    const asked = await asking.ask(anEndpoint(shown({ kind: 'bearer', token })), challenge);
    expect(sent[0]?.headers).toMatchObject({ authorization: `Bearer ${token}` });
    expect(asked.verdict).toMatchObject({ reason: 'status' });
    expect(asked.exchange?.request.headers).toMatchObject({ authorization: '[hidden]' });
    expect(JSON.stringify(asked)).not.toContain(token);
  });

  it('hide a header of their own name', async () => {
    const own = shown({ kind: 'header', name: 'x-api-key', value: token });
    const asked = await asking.ask(anEndpoint(own), challenge);
    expect(sent[0]?.headers).toMatchObject({ 'x-api-key': token });
    expect(asked.verdict.verified).toBe(true);
    expect(JSON.stringify(asked)).not.toContain(token);
  });

  it('may be a token that is fetched first, and without which nothing is asked', async () => {
    const grant = shown({
      kind: 'oauth2',
      tokenUrl: 'https://login.example/token',
      clientId: 'c',
      clientSecret: 'a-client-secret',
      scope: null,
      audience: null,
      clientAuthentication: 'basic',
    });
    answer = (post) =>
      post.origin === 'https://login.example'
        ? answered(JSON.stringify({ access_token: token, token_type: 'Bearer' }), {
            'content-type': 'application/json',
          })
        : echo(post);
    expect((await asking.ask(anEndpoint(grant), challenge)).verdict.verified).toBe(true);
    expect(sent.at(-1)?.headers).toMatchObject({ authorization: `Bearer ${token}` });
    sent = [];
    answer = () => answered('{"error":"invalid_client"}', { 'content-type': 'application/json' }, 401);
    const refused = await asking.ask(anEndpoint(grant), challenge);
    expect(refused).toMatchObject({ verdict: { verified: false, reason: 'auth-token' }, exchange: null });
    expect(sent).toHaveLength(1);
    expect(JSON.stringify(refused)).not.toContain('a-client-secret');
    // Of a process that stops meanwhile the endpoint learns nothing: see verify.spec.ts.
    answer = () => ({ kind: 'error', error: { kind: 'aborted', message: 'closed' }, durationMs: 1 });
    expect(await asking.ask(anEndpoint(grant), challenge)).toMatchObject({ verdict: { reason: 'aborted' } });
  });

  it('may be a certificate, and another CA', async () => {
    answer = () => answered('');
    const certificate = { certificate: 'CERT', privateKey: 'KEY' };
    await asking.ask(
      anEndpoint({ sealedClientCertificate: seal(JSON.stringify(certificate)), caPem: 'CA' }),
      unverified('handshake', 1, now),
    );
    expect(sent[0]).toMatchObject({ method: 'OPTIONS', tls: { ca: 'CA', cert: 'CERT', key: 'KEY' } });
  });
});
