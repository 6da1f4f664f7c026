import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonValue } from '../event/cloud-event.js';
import { jsonEqual, jsonPatch, type PatchOperation } from './json-patch.js';

type Box = JsonValue[] | Record<string, JsonValue>;

/** RFC 6902, for `add`, `replace` and `remove`, by the letter: a path that leads nowhere throws. */
function applied(document: JsonValue, steps: readonly PatchOperation[]): JsonValue {
  const root = { document: structuredClone(document) };
  for (const step of steps) {
    const names = ['document', ...step.path.split('/').slice(1)].map((name) =>
      name.replaceAll('~1', '/').replaceAll('~0', '~'),
    );
    const last = names.pop() ?? '';
    let box: Box = root;
    for (const name of names) {
      if (!Object.hasOwn(box, name)) throw new Error(`${step.path} leads nowhere`);
      box = (box as Record<string, Box>)[name]!;
    }
    change(box, last, step);
  }
  return root.document;
}

function change(box: Box, name: string, step: PatchOperation): void {
  const there = Object.hasOwn(box, name);
  if (step.op !== 'add' && !there) throw new Error(`${step.op} ${step.path}: there is nothing`);
  if (Array.isArray(box)) {
    const index = Number(name);
    if (step.op === 'remove') box.splice(index, 1);
    else if (step.op === 'replace') box[index] = step.value;
    else if (index > box.length) throw new Error(`add ${step.path}: beyond the end`);
    else box.splice(index, 0, step.value);
  } else if (step.op === 'remove') delete box[name];
  else Object.defineProperty(box, name, { value: step.value, enumerable: true, configurable: true, writable: true });
}

const json = fc.jsonValue({ maxDepth: 4 }).map((value) => JSON.parse(JSON.stringify(value)) as JsonValue);
/** Small alphabets, so that members and elements meet. */
const alike = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom<JsonValue>(null, true, 0, 'a', 'b'),
    fc.array(tie('value'), { maxLength: 6 }),
    fc.dictionary(fc.constantFrom('a', '~/', '', '__proto__', '0'), tie('value')),
  ),
})).value;

describe('a JSON Patch', () => {
  it('applied to what it was made from gives the other', () => {
    for (const values of [json, alike])
      fc.assert(
        fc.property(values, values, (from, to) => {
          expect(applied(from, jsonPatch(from, to))).toEqual(to);
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
    expect(jsonPatch({ a: 1 }, [1])).toEqual([{ op: 'replace', path: '', value: [1] }]);
  });
});
