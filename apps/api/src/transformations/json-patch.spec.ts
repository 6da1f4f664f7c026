import fc from 'fast-check';
import { applyPatch } from 'rfc6902';
import { describe, expect, it } from 'vitest';
import type { JsonValue } from '#libs/core';
import { jsonPatch } from './json-patch.js';

const names = fc.constantFrom('a', 'b', 'c/d', 'e~f', '', '0');
const values = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, true, false, 0, 1.5, '', 'text'),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(names, tie('value'), { maxKeys: 4, noNullPrototype: true }),
  ),
})).value;

describe('jsonPatch', () => {
  it('makes the one out of the other, by the hands of another implementation of RFC 6902', () => {
    fc.assert(
      fc.property(values, values, (before, after) => {
        const document = { root: structuredClone(before) };
        const patch = jsonPatch({ root: before }, { root: after });
        expect(applyPatch(document, structuredClone(patch)).filter((error) => error !== null)).toEqual([]);
        expect(document).toEqual({ root: after });
        if (patch.length === 0) expect(before).toEqual(after);
      }),
      { numRuns: 1_000 },
    );
  });

  it('says nothing of what is the same', () => {
    fc.assert(
      fc.property(values, (value) => {
        expect(jsonPatch(value, structuredClone(value))).toEqual([]);
      }),
    );
  });

  it('names the smallest places', () => {
    const before = { keep: 1, change: { a: [1, 2, 3] }, drop: 1, __proto__x: null };
    const after = { keep: 1, change: { a: [1, 4], 'b/c': 2 }, __proto__x: null };
    expect(jsonPatch(before, after)).toEqual([
      { op: 'remove', path: '/drop' },
      { op: 'remove', path: '/change/a/2' },
      { op: 'replace', path: '/change/a/1', value: 4 },
      { op: 'add', path: '/change/b~1c', value: 2 },
    ]);
  });
});
