import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AttemptErrorKind, PostResult } from '../delivery/post-result.js';
import type { OAuth2Authentication } from './authentication.js';
import { tokenOutcomeOf, tokenRequestOf } from './token-grant.js';

const client: OAuth2Authentication = {
  kind: 'oauth2',
  tokenUrl: 'https://auth.example.com/token',
  clientId: 's6BhdRkqt3',
  clientSecret: '7Fjfp0ZBr1KtDRbnfVdmIw',
  scope: null,
  audience: null,
  clientAuthentication: 'basic',
};

describe('tokenRequestOf', () => {
  it('is that of RFC 6749 §4.4.2', () => {
    expect(tokenRequestOf(client)).toMatchObject({
      headers: {
        authorization: 'Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3',
        'content-type': 'application/x-www-form-urlencoded',
        accept: 'application/json',
      },
      body: Buffer.from('grant_type=client_credentials'),
    });
  });

  it('has scope, audience, and the client in the body where that is asked for', () => {
    const { headers, body } = tokenRequestOf({
      ...client,
      scope: 'hooks:write hooks:read',
      audience: 'https://example.com/',
      clientAuthentication: 'body',
    });
    expect(headers).not.toHaveProperty('authorization');
    expect(Object.fromEntries(new URLSearchParams(body.toString()))).toEqual({
      grant_type: 'client_credentials',
      scope: 'hooks:write hooks:read',
      audience: 'https://example.com/',
      client_id: client.clientId,
      client_secret: client.clientSecret,
    });
  });

  it('property: a server that does as §2.3.1 says reads name and secret as they are', () => {
    const text = fc.string({ unit: 'binary', minLength: 1 });
    const decoded = (part: string): string => decodeURIComponent(part.replaceAll('+', ' '));
    fc.assert(
      fc.property(text, text, (clientId, clientSecret) => {
        const { authorization = '' } = tokenRequestOf({ ...client, clientId, clientSecret }).headers;
        const [id = '', secret = ''] = Buffer.from(authorization.slice(6), 'base64').toString().split(':');
        expect([decoded(id), decoded(secret)]).toEqual([clientId, clientSecret]);
      }),
    );
  });
});

const answer = (status: number, body: unknown, truncated = false): PostResult => ({
  kind: 'response',
  status,
  headers: {},
  body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
  truncated,
  durationMs: 1,
});
const outcome = (status: number, body: unknown, truncated = false) =>
  tokenOutcomeOf(answer(status, body, truncated), tokenRequestOf(client).hidden);

describe('tokenOutcomeOf', () => {
  it.each([
    [{ access_token: '2YotnFZFEjr1zCsicMWpAA', token_type: 'Bearer', expires_in: 3600 }, 3_600_000],
    [{ access_token: 'a', token_type: 'bearer', expires_in: '60' }, 60_000],
    [{ access_token: 'a', expires_in: 0 }, 0],
    [{ access_token: 'a', token_type: 'BEARER' }, null],
    [{ access_token: 'a', token_type: 'bearer', expires_in: -1 }, null],
  ])('takes the token of %j', (body, lifetimeMs) => {
    expect(outcome(200, body)).toEqual({ kind: 'token', token: body.access_token, lifetimeMs });
  });

  it.each([
    ['no', 'its answer is not a JSON object'],
    [[], 'its answer is not a JSON object'],
    [{}, 'its answer holds no access_token'],
    [{ access_token: 7 }, 'its answer holds no access_token'],
    [{ access_token: 'a b', token_type: 'bearer' }, expect.stringContaining('cannot be put into a header')],
    [{ access_token: 'a\r\nx: y', token_type: 'bearer' }, expect.stringContaining('cannot be put into a header')],
    [{ access_token: 'a'.repeat(8_193), token_type: 'bearer' }, expect.stringContaining('over 8192 characters')],
    [{ access_token: 'a', token_type: 'mac' }, 'its token_type is not Bearer'],
  ])('cannot use %j', (body, message) => {
    expect(outcome(200, body)).toEqual({ kind: 'failed', reason: 'malformed', message });
  });

  it('cannot use half an answer', () => {
    expect(outcome(200, { access_token: 'a' }, true)).toMatchObject({ reason: 'malformed' });
  });

  it.each([
    [400, { error: 'invalid_client', error_description: 'Who?' }, 'refused', 'it answered 400 invalid_client (Who?)'],
    [401, { error: 'invalid_client' }, 'refused', 'it answered 401 invalid_client'],
    [403, '<html>', 'refused', 'it answered 403'],
    [302, '', 'refused', 'it answered 302'],
    [201, { access_token: 'a' }, 'refused', 'it answered 201'],
    [429, '', 'unavailable', 'it answered 429'],
    [503, { error: 'temporarily_unavailable' }, 'unavailable', 'it answered 503 temporarily_unavailable'],
    [400, { error: 'a\nb' }, 'refused', 'it answered 400'],
    [
      400,
      { error: 'invalid_client', error_description: `bad secret\n${client.clientSecret}` },
      'refused',
      'it answered 400 invalid_client (bad secret ***)',
    ],
  ])('says of %i %j that it is %s', (status, body, reason, message) => {
    expect(outcome(status, body)).toEqual({ kind: 'failed', reason, message });
  });

  it.each([
    ['as it is', 'a secret+with=signs', 'a secret+with=signs'],
    ['as it stands in the body', 'a secret+with=signs', 'a+secret%2Bwith%3Dsigns'],
    ['as it stands in the header', 'a secret+with=signs', 'czZCaGRSa3F0MzphK3NlY3JldCUyQndpdGglM0RzaWducw=='],
    ['so short that it is found in its own encoding', 'z', 'czZCaGRSa3F0Mzp6'],
  ])('does not repeat the client’s secret %s', (_, clientSecret, said) => {
    const { hidden } = tokenRequestOf({ ...client, clientSecret });
    const result = tokenOutcomeOf(answer(400, { error: 'x', error_description: `you sent ${said}` }), hidden);
    expect(result).toMatchObject({ message: 'it answered 400 x (you sent ***)' });
  });

  it('says no more than fits', () => {
    const result = outcome(400, { error: 'x', error_description: 'y'.repeat(1_000) });
    expect(result.kind === 'failed' && result.message.length).toBe(300);
  });

  it.each([
    ['guard', 'guard'],
    ['dns', 'dns'],
    ['connect-timeout', 'timeout'],
    ['total-timeout', 'timeout'],
    ['tls', 'connection'],
    ['refused', 'connection'],
    ['proxy', 'connection'],
  ] satisfies [AttemptErrorKind, string][])('tells %s apart', (kind, reason) => {
    const error = { kind, message: 'as it was' };
    const result = tokenOutcomeOf({ kind: 'error', error, durationMs: 1 }, []);
    expect(result).toEqual({ kind: 'failed', reason, message: `${kind}: as it was` });
  });
});
