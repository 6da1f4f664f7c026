import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isAttributeName, isAttributeString, isEventType, orderingKeyOf, tenantOf } from './cloud-event.js';

describe('attribute names', () => {
  it.each(['a', 'tenantid', 'x2', 'abcdefghijklmnopqrst'])('takes %s', (name) =>
    expect(isAttributeName(name)).toBe(true),
  );
  it.each(['', 'data', 'A', '2x', 'a-b', 'a_b', 'é', 'abcdefghijklmnopqrstu'])('refuses %j', (name) =>
    expect(isAttributeName(name)).toBe(false),
  );
  it('agrees with the regular expression', () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 22, unit: fc.constantFrom('a', 'z', '0', '9', 'A', '-', 'd', 't') }),
        (name) => {
          expect(isAttributeName(name)).toBe(/^[a-z][a-z0-9]{0,19}$/.test(name) && name !== 'data');
        },
      ),
    );
  });
});

describe('event types', () => {
  it('are words of [a-zA-Z0-9_] with single dots between them', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', 'Z', '0', '_', '.', '-', ' '), maxLength: 8 }), (type) => {
        expect(isEventType(type)).toBe(/^\w+(\.\w+)*$/.test(type));
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('attribute strings', () => {
  it('agrees with the definition of CloudEvents for any code units', () => {
    const unit = fc.oneof(
      fc.integer({ min: 0, max: 0xa0 }),
      fc.integer({ min: 0xd7f0, max: 0xe000 }),
      fc.integer({ min: 0xfdc0, max: 0xffff }),
    );
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 4 }), (units) => {
        const text = String.fromCharCode(...units);
        const allowed = Array.from(text).every((character) => {
          const code = character.codePointAt(0)!;
          const control = code < 0x20 || (code >= 0x7f && code <= 0x9f);
          const surrogate = code >= 0xd800 && code <= 0xdfff;
          const nonCharacter = (code >= 0xfdd0 && code <= 0xfdef) || (code & 0xfffe) === 0xfffe;
          return !control && !surrogate && !nonCharacter;
        });
        expect(isAttributeString(text)).toBe(allowed);
      }),
      { numRuns: 2_000 },
    );
  });
  it('refuses the last two characters of each plane', () => {
    expect(isAttributeString('\u{1ffff}')).toBe(false);
    expect(isAttributeString('\u{1f600}')).toBe(true);
  });
});

describe('tenant and ordering key', () => {
  it('takes the tenant from the extension before the record key', () => {
    expect(tenantOf({ tenantid: 'a' }, 'b')).toBe('a');
    expect(tenantOf({}, Buffer.from('b'))).toBe('b');
    expect(tenantOf({}, '')).toBeNull();
    expect(tenantOf({}, null)).toBeNull();
  });
  it('orders by partitionkey, else subject, else one shared key', () => {
    expect(orderingKeyOf({ partitionkey: 'p', subject: 's' })).toBe('p');
    expect(orderingKeyOf({ subject: 's' })).toBe('s');
    expect(orderingKeyOf({})).toBeNull();
  });
});
