import { validateHeaderName, validateHeaderValue } from 'node:http';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkHeaders } from './header-rules.js';

const limits = { headerCount: 5, headerBytes: 100 };

describe('checkHeaders', () => {
  it('lets nothing pass that could end a line, be another header, or be too much', () => {
    const text = fc.oneof(fc.string({ maxLength: 30 }), fc.string({ unit: 'binary', maxLength: 10 }));
    const name = fc.oneof(text, fc.constantFrom('x-a', 'Host', 'webhook-id', 'X-A', '__proto__', 'content-length'));
    fc.assert(
      fc.property(fc.array(fc.tuple(name, text), { maxLength: 8 }), (given) => {
        const checked = checkHeaders(given, limits);
        if (checked.kind !== 'fit') return;
        const entries = Object.entries(checked.headers);
        expect(entries).toHaveLength(given.length);
        expect(entries.length).toBeLessThanOrEqual(limits.headerCount);
        expect(entries.flat().join('').length).toBeLessThanOrEqual(limits.headerBytes);
        for (const [one, value] of entries) {
          validateHeaderName(one);
          validateHeaderValue(one, value);
          expect(one).not.toMatch(/^(host|content-length|webhook-.*)$|[A-Z]/);
          expect(Buffer.from(value, 'latin1').toString('ascii')).toBe(value);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('lets pass what fits', () => {
    const given = [
      ['X-Key', 'a b\tc'],
      ['ce-id', ''],
    ] as const;
    expect(checkHeaders(given, limits)).toEqual({ kind: 'fit', headers: { 'x-key': 'a b\tc', 'ce-id': '' } });
  });

  it.each([
    ['a b', 'x', 'cannot be the name of a header'],
    ['host', 'x', 'is set by Posthorn'],
    ['Webhook-Timestamp', 'x', 'is set by Posthorn'],
    ['a', 'x\n', 'must be printable ASCII'],
    ['a', ' x', 'with no space at its ends'],
  ])('refuses %j: %j', (name, value, reason) => {
    expect(checkHeaders([[name, value]], limits)).toMatchObject({ reason: expect.stringContaining(reason) as unknown });
  });
});
