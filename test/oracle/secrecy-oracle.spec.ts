import { generateKeyPairSync, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { apiKeyBytes, formatPrivateKey, formatSecret, newApiKey } from '#libs/core';
import { searchFor } from './secrecy-oracle.js';

const bytes = fc.uint8Array({ minLength: 24, maxLength: 64 });
const around = fc.uint8Array({ maxLength: 50 });
const formsIn = async (secret: string, ...pieces: Buffer[]): Promise<string[]> =>
  (await searchFor(new Map([['it', secret]]), [{ place: 'here', pieces }])).sightings.map(({ form }) => form);
const join = (...parts: (Uint8Array | string)[]): Buffer =>
  Buffer.concat(parts.map((part) => Buffer.from(part as string)));

describe('the secrecy oracle', () => {
  it('finds a secret in every form, whatever stands around it', async () => {
    await fc.assert(
      fc.asyncProperty(bytes, around, around, async (key, before, after) => {
        const secret = formatSecret(key);
        const text = secret.slice('whsec_'.length);
        const inside = (...parts: (Uint8Array | string)[]) => formsIn(secret, join(before, ...parts, after));
        expect(await inside(secret)).toContain('text');
        expect(await inside(text.replace(/=+$/, ''))).toContain('text');
        expect(await inside(key)).toContain('bytes');
        expect(await inside(Buffer.from(key).toString('hex').toUpperCase())).toContain('hex of bytes');
        expect(await inside(Buffer.from(text).toString('hex'))).toContain('hex of text');
        for (const encoding of ['base64', 'base64url'] as const) {
          const whole = (part: Uint8Array | string) => join(join(before, part, after).toString(encoding));
          // At the begin of what was encoded it is the text itself.
          const forms = await formsIn(secret, whole(key));
          expect(forms.some((form) => form === 'base64 of bytes' || form === 'text')).toBe(true);
          expect(await formsIn(secret, whole(secret))).toContain('base64 of text');
        }
      }),
      { numRuns: 50 },
    );
  });

  it('finds it across pieces, wherever they end, and many at once as one alone', async () => {
    const cuts = fc.array(fc.nat(120), { maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(fc.array(bytes, { minLength: 1, maxLength: 20 }), cuts, async (keys, at) => {
        const secrets = new Map(keys.map((key, n) => [`secret ${n}`, formatSecret(key)]));
        const whole = join('x'.repeat(40), ...secrets.values(), 'y');
        const ends = [...at, whole.length].toSorted((a, b) => a - b);
        const pieces = ends.map((end, n) => whole.subarray(ends[n - 1] ?? 0, end));
        const { sightings, places } = await searchFor(secrets, [{ place: 'here', pieces }]);
        const found = sightings.filter(({ form }) => form === 'text').map(({ secret }) => secret);
        expect(new Set(found)).toEqual(new Set(secrets.keys()));
        expect(places).toEqual(new Map([['here', whole.length]]));
      }),
      { numRuns: 50 },
    );
  });

  it.each([
    ['in a URL', encodeURIComponent('pass word+/=&?'.repeat(2)), 'text in a URL'],
    ['in JSON', JSON.stringify({ it: 'pass word+/=&?'.repeat(2) }), 'text in JSON'],
    ['in JSON of others', '"' + 'pass word+/=&?'.repeat(2).replaceAll('/', '\\/') + '"', 'text in JSON'],
  ])('finds a password %s', async (_where, text, form) => {
    const password = 'pass word+/=&?'.repeat(2);
    const forms = await formsIn(password, Buffer.from(text));
    expect(forms.some((one) => one === form || one === 'text')).toBe(true);
    expect(forms).not.toEqual([]);
  });

  it('finds quotes and backslashes as JSON and URLs write them', async () => {
    const password = 'a"quoted\\secret value';
    expect(await formsIn(password, Buffer.from(JSON.stringify([password])))).toContain('text in JSON');
    expect(await formsIn(password, Buffer.from(encodeURIComponent(password).toLowerCase()))).toContain('text in a URL');
  });

  it('finds a private key by a line of its PEM, and by its bytes', async () => {
    const pairs = [
      generateKeyPairSync('ed25519'),
      generateKeyPairSync('ec', { namedCurve: 'P-256' }),
      generateKeyPairSync('rsa', { modulusLength: 2048 }),
    ];
    for (const pair of pairs) {
      const pem = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
      const der = pair.privateKey.export({ type: 'pkcs8', format: 'der' });
      expect(await formsIn(pem, Buffer.from(JSON.stringify({ pem })))).toContain('text');
      expect(await formsIn(pem, der)).toContain('bytes');
      expect(await formsIn(pem, Buffer.from(pair.publicKey.export({ type: 'spki', format: 'pem' })))).toEqual([]);
    }
  });

  it('does not take for the secret what is public of it', async () => {
    const { key, id } = newApiKey('operator', randomBytes(apiKeyBytes));
    expect(await formsIn(key, Buffer.from(`actor ${id}`))).toEqual([]);
    expect(await formsIn(key, Buffer.from(key.slice(id.length + 1)))).toContain('text');
    const token = `${Buffer.from('{"alg":"HS256"}').toString('base64url')}.${Buffer.from('{"sub":"acme"}').toString('base64url')}.${randomBytes(32).toString('base64url')}`;
    expect(await formsIn(token, Buffer.from(token.slice(0, token.lastIndexOf('.'))))).toEqual([]);
    expect(await formsIn(token, Buffer.from(token))).toContain('text');
  });

  it('finds nothing where there is nothing', async () => {
    await fc.assert(
      fc.asyncProperty(bytes, bytes, async (key, other) => {
        fc.pre(Buffer.compare(key, other) !== 0);
        const haystack = join(formatSecret(other), randomBytes(500).toString('hex'), randomBytes(500));
        expect(await formsIn(formatSecret(key), haystack)).toEqual([]);
      }),
      { numRuns: 50 },
    );
  });

  it('names the place and the secret, and does not show it', async () => {
    const secrets = new Map([
      ['master key', `12:${randomBytes(32).toString('base64')}`],
      ['key pair', formatPrivateKey(randomBytes(32))],
      ['operator key', 'of-an-operator-0123456789'],
    ]);
    const readables = [...secrets].map(([name, text]) => ({
      place: `log of ${name}`,
      pieces: [Buffer.from(`key=${text};`)],
    }));
    const { sightings } = await searchFor(secrets, readables);
    for (const name of secrets.keys())
      expect(sightings).toContainEqual({ place: `log of ${name}`, secret: name, form: 'text' });
    for (const text of secrets.values()) expect(JSON.stringify(sightings)).not.toContain(text);
  });

  it('takes no secret that it would find by chance', async () => {
    await expect(formsIn('short', Buffer.from(''))).rejects.toThrow(RangeError);
  });
});
