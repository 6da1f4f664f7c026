import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { textWithin } from './text-within.js';

describe('a text that must leave room', () => {
  it('is counted in bytes, and cut between characters', () => {
    expect(textWithin('語'.repeat(500), 500)).toBe('語'.repeat(166));
    expect(textWithin('abc😀', 6)).toBe('abc');
    expect(textWithin('abc😀', 7)).toBe('abc😀');
    expect(textWithin('abcd', 3)).toBe('abc');
    expect(textWithin('ab', 0)).toBe('');
  });

  it('is its longest beginning of whole characters that fits (property)', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.nat(40), (text, most) => {
        const within = textWithin(text, most);
        const next = Array.from(text)[Array.from(within).length] ?? '';
        expect(text.startsWith(within)).toBe(true);
        expect(Buffer.byteLength(within)).toBeLessThanOrEqual(most);
        if (within !== text) expect(Buffer.byteLength(within + next)).toBeGreaterThan(most);
      }),
    );
  });
});
