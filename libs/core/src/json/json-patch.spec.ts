import fc from 'fast-check';
import { applyPatch } from 'rfc6902';
import { describe, expect, it } from 'vitest';
import type { JsonValue } from '../event/cloud-event.js';
import { jsonEqual, jsonPatch } from './json-patch.js';

/** The other implementation leaves out what is called `__proto__`. */
const json = fc
  .jsonValue({ maxDepth: 4 })
  .map((value) => JSON.stringify(value))
  .filter((text) => !text.includes('__proto__'))
  .map((text) => JSON.parse(text) as JsonValue);
/** Small alphabets, so that members and elements meet. */
const alike = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom<JsonValue>(null, true, 0, 'a', 'b'),
    fc.array(tie('value'), { maxLength: 6 }),
    fc.dictionary(fc.constantFrom('a', '~/', '', '0'), tie('value'), { noNullPrototype: true }),
  ),
})).value;

describe('a JSON Patch', () => {
  it('makes the one out of the other, by the hands of another implementation', () => {
    for (const values of [json, alike])
      fc.assert(
        fc.property(values, values, (from, to) => {
          const document = { root: structuredClone(from) };
          const patch = jsonPatch({ root: from }, { root: to });
          expect(applyPatch(document, structuredClone([...patch])).filter((error) => error !== null)).toEqual([]);
          expect(document).toEqual({ root: to });
        }),
        { numRuns: 1_000 },
      );
  });

  it('is empty exactly for what is equal', () => {
    fc.assert(
      fc.property(alike, alike, (from, to) => {
        expect(jsonPatch(from, structuredClone(from))).toEqual([]);
        expect(jsonPatch(from, to).length === 0).toBe(jsonEqual(from, to));
      }),
    );
  });

  it('says where, in pointers, and is short where one place changed', () => {
    const from = { a: 1, 'x/y~': { kept: true }, list: ['p', 'q', 'r', 's'] };
    const to = { 'x/y~': { kept: true, more: null }, a: 2, list: ['p', 'new', 'q', 'r', 's'] };
    expect(jsonPatch(from, to)).toEqual([
      { op: 'replace', path: '/a', value: 2 },
      { op: 'add', path: '/x~1y~0/more', value: null },
      { op: 'add', path: '/list/1', value: 'new' },
    ]);
    expect(jsonPatch(['p', 'q', 'r', 's'], ['p', 's'])).toEqual([
      { op: 'remove', path: '/2' },
      { op: 'remove', path: '/1' },
    ]);
    const odd = JSON.parse('{"__proto__": 1, "constructor": 2}') as JsonValue;
    expect(jsonPatch(odd, {})).toEqual([
      { op: 'remove', path: '/__proto__' },
      { op: 'remove', path: '/constructor' },
    ]);
    expect(jsonPatch({}, odd)).toHaveLength(2);
    expect(jsonPatch({ a: 1 }, [1])).toEqual([{ op: 'replace', path: '', value: [1] }]);
  });

  it('takes `__proto__` for a name like any other', () => {
    const to = JSON.parse('{"a":{"__proto__":"x"}}') as JsonValue;
    expect(jsonPatch({}, to)).toEqual([{ op: 'add', path: '/a', value: to && (to as { a: JsonValue }).a }]);
    const [change] = jsonPatch({ a: {} }, to);
    expect(change).toEqual({ op: 'add', path: '/a/__proto__', value: 'x' });
  });
});
