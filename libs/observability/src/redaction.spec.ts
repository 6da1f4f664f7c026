import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLogger } from './logger.js';
import { redactedText } from './redaction.js';

/** What a logger of ours writes. */
function logged(write: (logger: ReturnType<typeof createLogger>) => void): string {
  let lines = '';
  const to = { write: (line: string): void => void (lines += line) };
  write(createLogger({ name: 'test', level: 'debug' }, to));
  return lines;
}

const base64 = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('base64'));
const base64url = base64.map((text) => Buffer.from(text, 'base64').toString('base64url'));
/** A text as it may stand in a message, with the part of it that nobody may read. */
const secretText = fc.oneof(
  base64.map((key) => ({ text: `whsec_${key}`, secret: key })),
  base64.map((key) => ({ text: `whsk_${key}`, secret: key })),
  base64url.map((key) => ({ text: `phk_0123456789ab_${key}`, secret: key })),
  base64url.map((key) => ({ text: `pht_0123456789ab_${key}`, secret: key })),
  base64.map((key) => ({ text: `POSTHORN_MASTER_KEYS=1:${key}`, secret: key })),
  base64.map((key) => ({ text: `1:${key},2:${key}`, secret: key })),
  base64url.map((key) => ({ text: `Bearer ${key}`, secret: key })),
  base64.map((key) => ({ text: `authorization: Basic ${key}`, secret: key })),
  base64url.map((key) => ({ text: `postgres://posthorn:${key}@127.0.0.1:5432/posthorn`, secret: key })),
  base64url.map((key) => ({ text: `host=db password=${key} user=posthorn`, secret: key })),
  base64url.map((key) => ({ text: `https://example.com/oauth?client_secret=${key}&a=b`, secret: key })),
  base64url.map((key) => ({ text: `eyJhbGciOiJIUzI1NiJ9.${key}.${key}`, secret: key })),
  base64.map((key) => ({ text: `-----BEGIN PRIVATE KEY-----\n${key}\n-----END PRIVATE KEY-----\n`, secret: key })),
);
const secretField = fc.constantFrom(
  'secret',
  'secrets',
  'Authorization',
  'proxy-authorization',
  'password',
  'clientSecret',
  'client_secret',
  'accessToken',
  'privateKey',
  'private_key',
  'x-api-key',
  'x-auth-token',
  'operatorKey',
  'masterKeys',
  'POSTHORN_MASTER_KEYS',
  'cookie',
);
const around = fc.string({ maxLength: 20 }).filter((text) => !/[\w"\\/]$/.test(text));

/** Inside of objects and lists, as deep as that. */
const wrapped = (path: readonly (string | null)[], value: unknown): unknown =>
  path.reduceRight<unknown>((inner, step) => (step === null ? ['x', inner] : { [step]: inner, other: 1 }), value);
const path = fc.array(fc.option(fc.constantFrom('a', 'config', 'headers', 'cause')), { maxLength: 5 });

describe('what is logged', () => {
  it('holds no secret that can be told by its looks: in a message, a field, an error or its cause', () => {
    fc.assert(
      fc.property(secretText, around, path, fc.integer({ min: 0, max: 3 }), ({ text, secret }, before, deep, where) => {
        const told = `${before} ${text}`;
        const lines = logged((logger) => {
          if (where === 0) logger.info(told);
          else if (where === 1) logger.warn({ request: wrapped(deep, told) }, 'it happened');
          else if (where === 2) logger.error({ err: new Error(told) }, 'it failed');
          else logger.child({ told }).error({ err: new Error('it failed', { cause: new Error(told) }) }, 'it failed');
        });
        expect(lines).not.toContain(secret);
        expect(lines).toContain('[redacted]');
        for (const line of lines.trim().split('\n')) expect(JSON.parse(line)).toMatchObject({ app: 'test' });
      }),
      { numRuns: 500 },
    );
  });

  it('holds nothing of a field that is called as secrets are, however deep, whatever it is', () => {
    fc.assert(
      fc.property(secretField, path, fc.boolean(), (field, deep, isList) => {
        const secret = randomBytes(8).toString('hex');
        const value = { [field]: isList ? [{ of: secret }] : secret };
        const error = Object.assign(new Error('it failed'), { config: wrapped(deep, value) });
        const lines = logged((logger) => {
          logger.info({ about: wrapped(deep, value) }, 'it happened');
          logger.info(value, 'it happened');
          logger.error({ err: error }, 'it failed');
        });
        expect(lines).not.toContain(secret);
        expect(lines.match(/\[redacted\]/g)).toHaveLength(3);
      }),
    );
  });

  it('leaves all else as it is', () => {
    const fields = {
      secretIds: ['sec_1'],
      tokenId: 'ptk_1',
      orderingKey: 'task/17',
      keys: 3,
      keyId: 'phk_0123456789ab',
      url: 'https://example.com:8443/a@b?c=1:2',
      at: '2026-11-26T18:30:34.815Z',
      hasSecret: true,
      secret: null,
    };
    const line = logged((logger) => logger.info(fields, 'a token was refused at 18:30'));
    expect(JSON.parse(line)).toMatchObject({ ...fields, msg: 'a token was refused at 18:30' });
    expect(line.endsWith('}\n')).toBe(true);
  });

  it('is cleaned also where it is printed as plain text', () => {
    expect(redactedText('connect postgres://u:p@ss@db/x failed: password=hunter2')).toBe(
      'connect postgres://u:[redacted]@db/x failed: password=[redacted]',
    );
  });
});
