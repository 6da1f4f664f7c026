import { validateHeaderName, validateHeaderValue } from 'node:http';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { customHeaderNameFault, customHeaderValueFault } from './custom-headers.js';

describe('headers that an endpoint sets', () => {
  it.each(['x-region', 'Authorization', 'X_Y', 'date'])('may be %s', (name) => {
    expect(customHeaderNameFault(name)).toBeNull();
  });

  it.each(['webhook-id', 'Webhook-Signature', 'ce-id', 'CE-Anything', 'content-type', 'Host', 'Transfer-Encoding'])(
    'may not be %s, which is ours',
    (name) => {
      expect(customHeaderNameFault(name)).toContain('set by Posthorn');
    },
  );

  it.each(['', 'a b', 'a:', 'ä', 'x'.repeat(101), 'a\r\nb'])('may not be called %j', (name) => {
    expect(customHeaderNameFault(name)).not.toBeNull();
  });

  it('are always such as Node would send', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 20 }), (text) => {
        if (customHeaderNameFault(text) === null) expect(() => validateHeaderName(text)).not.toThrow();
        if (customHeaderValueFault(text) === null) expect(() => validateHeaderValue('x', text)).not.toThrow();
      }),
      { numRuns: 1_000 },
    );
  });

  it.each(['', 'eu', 'a b\tc', '"quoted"', `${'x'.repeat(2_000)}`])('may hold %j', (value) => {
    expect(customHeaderValueFault(value)).toBeNull();
  });

  it.each([' a', 'a ', 'a\r\nx-evil: 1', 'a\0', '€', 'x'.repeat(2_001)])('may not hold %j', (value) => {
    expect(customHeaderValueFault(value)).not.toBeNull();
  });
});
