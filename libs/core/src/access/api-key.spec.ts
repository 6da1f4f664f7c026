import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { apiKeyBytes, keptKeyOf, newApiKey } from './api-key.js';

describe('an API key', () => {
  it('is made of randomness, begins with what it is, and is found again by its digest', () => {
    const random = fc.uint8Array({ minLength: apiKeyBytes, maxLength: apiKeyBytes });
    fc.assert(
      fc.property(fc.constantFrom('operator' as const, 'tenant' as const), random, (holder, bytes) => {
        const { key, id, digest } = newApiKey(holder, bytes);
        expect(id).toMatch(holder === 'operator' ? /^phk_[0-9a-f]{12}$/ : /^pht_[0-9a-f]{12}$/);
        expect(key.startsWith(`${id}_`)).toBe(true);
        expect(digest).toEqual(createHash('sha256').update(key).digest());
        expect(keptKeyOf(key)).toEqual({ id, digest });
      }),
    );
  });

  it('holds all of the randomness: another bit makes another key', () => {
    const bytes = new Uint8Array(apiKeyBytes);
    const keys = new Set([newApiKey('tenant', bytes).key]);
    for (let bit = 0; bit < apiKeyBytes * 8; bit += 1) {
      const other = bytes.slice();
      other[bit >> 3] = 1 << (bit & 7);
      keys.add(newApiKey('tenant', other).key);
    }
    expect(keys.size).toBe(apiKeyBytes * 8 + 1);
    expect(() => newApiKey('tenant', bytes.subarray(1))).toThrow(/38 bytes, not 37/);
  });

  it('is not looked for when it cannot be one', () => {
    const { key } = newApiKey('tenant', new Uint8Array(apiKeyBytes));
    for (const text of [
      '',
      key.slice(1),
      `${key}A`,
      key.slice(0, -1),
      key.replace('pht', 'phx'),
      `${key}\n`,
      ` ${key}`,
    ])
      expect(keptKeyOf(text)).toBeNull();
  });
});
