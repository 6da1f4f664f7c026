import fc from 'fast-check';
import { expect, it } from 'vitest';
import { canonicalJson } from './canonical-json.js';
import { withoutSecrets } from './without-secrets.js';

it('takes away what is secret, and leaves that it was set', () => {
  const config = {
    url: 'https://example.com/',
    secrets: [{ secretId: 'one', ciphertext: 'v1.abc', expiresAt: null }],
    headers: { 'x-team': 'blue', Authorization: 'Bearer abc', 'X-Acme-Token': 'abc', cookie: 'a=b' },
    authentication: { kind: 'oauth', clientId: 'id', clientSecret: 'abc', scope: null },
    clientCertificate: { certificate: 'public', privateKey: 'abc' },
    token: { nested: [{ deep: 'abc' }], count: 7, on: true, none: null },
    password: null,
    ordering: 'key',
  };
  expect(withoutSecrets(config)).toEqual({
    ...config,
    secrets: [{ secretId: 'one', ciphertext: '[redacted]', expiresAt: null }],
    headers: {
      'x-team': 'blue',
      Authorization: '[redacted]',
      'X-Acme-Token': '[redacted]',
      cookie: '[redacted]',
    },
    authentication: { ...config.authentication, clientSecret: '[redacted]' },
    clientCertificate: { certificate: 'public', privateKey: '[redacted]' },
    token: { nested: [{ deep: '[redacted]' }], count: '[redacted]', on: true, none: null },
  });
});

it('property: leaves no text below a secret field, whatever its spelling, and all the rest as it was', () => {
  const name = fc.constantFrom('secret', 'client_secret', 'Client-Secret', 'privateKey', 'plain', 'plain2');
  const tree = fc.letrec((tie) => ({
    node: fc.oneof({ maxDepth: 4 }, fc.constant('hush'), fc.constant(1), fc.array(tie('node')), tie('object')),
    object: fc.dictionary(name, tie('node')),
  })).object;
  fc.assert(
    fc.property(tree, (value) => {
      const text = canonicalJson(withoutSecrets({ secret: value }));
      expect(text).not.toContain('hush');
      const open = JSON.parse(
        canonicalJson(value).replaceAll(/"(?:[Cc]lient.[Ss]ecret|secret|privateKey)"/g, '"plain2"'),
      );
      expect(withoutSecrets(open)).toEqual(open);
    }),
  );
});

it('property: the canonical text does not depend on the order of keys', () => {
  const reversed = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(reversed);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        .reverse()
        .map(([key, part]) => [key, reversed(part)]),
    );
  };
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(canonicalJson(reversed(value))).toBe(canonicalJson(value));
      expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});
