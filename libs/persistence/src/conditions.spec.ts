import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Conditions } from './conditions.js';

it('conditions hold no value in their text, whatever it is', () => {
  const value = fc.oneof(fc.string(), fc.constantFrom("'; DROP TABLE tenants; --", '$1', "\\'", '" OR 1=1'));
  fc.assert(
    fc.property(value, fc.array(value), value, (one, many, more) => {
      const text = (a: string, b: readonly string[], c: string): string => {
        const conditions = new Conditions();
        conditions.equal('tenant_id', a);
        conditions.oneOf('status', b);
        conditions.add((place) => `error ILIKE ${place}`, c);
        expect(conditions.parameters).toEqual([a, b, c]);
        return conditions.where();
      };
      expect(text(one, many, more)).toBe(text('', [], ''));
    }),
  );
});
