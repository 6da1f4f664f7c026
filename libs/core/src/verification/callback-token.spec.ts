import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { callbackToken, openCallbackToken } from './callback-token.js';

const keys = new Map([[1, randomBytes(32)]]);
const claims = { endpointId: 'ep_1', round: 3, expiresAt: 1_000 };

it('opens what was made with a key that is still there, until it expires', () => {
  const token = callbackToken(keys, claims);
  expect(openCallbackToken(keys, token, 999)).toEqual(claims);
  expect(openCallbackToken(keys, token, 1_000)).toBeNull();
  const both = new Map([...keys, [2, randomBytes(32)] as const]);
  expect(openCallbackToken(both, token, 0)).toEqual(claims);
  expect(openCallbackToken(keys, callbackToken(both, claims), 0)).toBeNull();
  expect(openCallbackToken(new Map([[1, randomBytes(32)]]), token, 0)).toBeNull();
});

it('opens nothing that was changed in any letter', () => {
  const token = callbackToken(keys, claims);
  fc.assert(
    // The last letter of the MAC has two bits that mean nothing.
    fc.property(fc.integer({ min: 0, max: token.length - 2 }), fc.constantFrom('A', '2', '.', '_'), (at, letter) => {
      if (token[at] === letter) return;
      expect(openCallbackToken(keys, token.slice(0, at) + letter + token.slice(at + 1), 0)).toBeNull();
    }),
  );
  fc.assert(fc.property(fc.string(), (text) => openCallbackToken(keys, text, 0) === null));
});
