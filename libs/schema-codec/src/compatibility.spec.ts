import avsc from 'avsc';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAvroSchema } from './avro-node.js';
import { compatibilityOf } from './compatibility.js';
import { differenceOf } from './difference.js';
import { pairs } from './schema-pairs.fixture.js';

const versionOf = (...fields: unknown[]) =>
  parseAvroSchema({ type: 'record', namespace: 'test', name: 'event', doc: 'It.', fields } as object);

/** Of data of `writer`, by avsc. */
function avscReads(writer: unknown, reader: unknown): boolean {
  const type = (schema: unknown): avsc.Type =>
    avsc.Type.forSchema(structuredClone(schema) as avsc.Schema, { wrapUnions: true });
  try {
    type(reader).createResolver(type(writer));
    return true;
  } catch {
    return false;
  }
}

const priority = (symbols: string[], more: object = {}) => ({
  name: 'priority',
  type: { type: 'enum', name: 'Priority', symbols, ...more },
});

describe('compatibility', () => {
  it('is what avsc says, in each direction, over random schemas and evolutions', () => {
    const counts = { good: 0, bad: 0 };
    fc.assert(
      fc.property(fc.boolean().chain(pairs), ({ writer: older, reader: newer }) => {
        const faults = compatibilityOf(parseAvroSchema(newer as object), parseAvroSchema(older as object));
        const directions = { backward: avscReads(older, newer), forward: avscReads(newer, older) };
        for (const [direction, readable] of Object.entries(directions)) {
          counts[readable ? 'good' : 'bad'] += 1;
          expect(faults.filter((fault) => fault.direction === direction).length === 0).toBe(readable);
        }
        expect(faults.every(({ detail }) => detail.length > 20)).toBe(true);
      }),
      { numRuns: 150 },
    );
    expect(Math.min(counts.good, counts.bad)).toBeGreaterThan(25);
  });

  it.each<
    [why: string, older: unknown[], newer: unknown[], faults: [path: string, direction: string, detail: RegExp][]]
  >([
    ['a field with a default was added', [], [{ name: 'n', type: 'int', default: 0 }], []],
    [
      'a field without a default was added',
      [],
      [{ name: 'n', type: 'int' }],
      [['n', 'backward', /new and has no default.*give it a "default"/]],
    ],
    [
      'a field without a default was removed',
      [{ name: 'n', type: 'int' }],
      [],
      [['n', 'forward', /gone.*keep it.*deprecated/]],
    ],
    [
      'a field was renamed',
      [{ name: 'n', type: 'int' }],
      [{ name: 'm', aliases: ['n'], type: 'int', default: 0 }],
      [['n', 'forward', /renamed to m.*keep n, and add m beside it/]],
    ],
    [
      'a field with a default was renamed',
      [{ name: 'n', type: 'int', default: 0 }],
      [{ name: 'm', aliases: ['n'], type: 'int', default: 0 }],
      [],
    ],
    [
      'a type was widened',
      [{ name: 'n', type: 'int' }],
      [{ name: 'n', type: 'long' }],
      [['n', 'forward', /may be long here, which the older version cannot read as int/]],
    ],
    [
      'it may be null now',
      [{ name: 'n', type: { type: 'array', items: { type: 'map', values: 'string' } } }],
      [{ name: 'n', type: { type: 'array', items: { type: 'map', values: ['null', 'string'] } } }],
      [['n[]{}', 'forward', /may be null here/]],
    ],
    [
      'symbols came and went',
      [priority(['low', 'high'])],
      [priority(['low', 'urgent'])],
      [
        ['priority', 'backward', /high are gone.*"default"/],
        ['priority', 'forward', /urgent are new/],
      ],
    ],
    [
      'symbols came, and the enum had a default',
      [priority(['low', 'high'], { default: 'low' })],
      [priority(['low', 'high', 'urgent'], { default: 'low' })],
      [],
    ],
    [
      'a type was renamed without an alias',
      [{ name: 'p', type: { type: 'record', name: 'Person', fields: [] } }],
      [{ name: 'p', type: { type: 'record', name: 'User', fields: [] } }],
      [
        ['p', 'backward', /add "aliases": \["test.Person"\]/],
        ['p', 'forward', /does not know: keep its name/],
      ],
    ],
    [
      'a time changed its unit',
      [{ name: 'at', type: { type: 'long', logicalType: 'timestamp-millis' } }],
      [{ name: 'at', type: { type: 'long', logicalType: 'timestamp-micros' } }],
      [
        ['at', 'backward', /timestamp-millis became timestamp-micros/],
        ['at', 'forward', /timestamp-millis became timestamp-micros/],
      ],
    ],
    [
      'a field of several names',
      [
        { name: 'a', type: 'int', default: 0 },
        { name: 'b', type: 'int', default: 0 },
      ],
      [{ name: 'c', aliases: ['a', 'b'], type: 'int', default: 0 }],
      [['c', 'backward', /read from a and from b/]],
    ],
    [
      'something deep in an optional record',
      [{ name: 'p', type: ['null', { type: 'record', name: 'Person', fields: [] }], default: null }],
      [
        {
          name: 'p',
          type: ['null', { type: 'record', name: 'Person', fields: [{ name: 'id', type: 'string' }] }],
          default: null,
        },
      ],
      [['p.id', 'backward', /new and has no default/]],
    ],
  ])('where %s', (_, older, newer, faults) => {
    expect(compatibilityOf(versionOf(...newer), versionOf(...older))).toEqual(
      faults.map(([path, direction, detail]) => ({ path, direction, detail: expect.stringMatching(detail) as string })),
    );
  });

  it('ends on recursive records', () => {
    const list = (type: string) =>
      versionOf({ name: 'v', type }, { name: 'next', type: ['null', 'test.event'], default: null });
    expect(compatibilityOf(list('int'), list('int'))).toEqual([]);
    expect(compatibilityOf(list('int'), list('string'))).toHaveLength(2);
  });
});

describe('the difference of two versions', () => {
  it('tells what was added, removed, renamed, and what changed its type, default, symbols and description', () => {
    const person = (doc: string, fields: unknown[]) => ({ type: 'record', name: 'Person', doc, fields });
    const before = versionOf(
      { name: 'gone', type: ['null', 'string'], default: null },
      { name: 'n', type: 'int', default: 3 },
      { name: 'old', type: 'string', doc: 'A.' },
      { name: 'who', type: ['null', person('One.', [])], default: null },
      { name: 'list', type: { type: 'array', items: { type: 'enum', name: 'C', symbols: ['a', 'b'] } } },
      { name: 'price', type: { type: 'bytes', logicalType: 'decimal', precision: 6, scale: 2 } },
    );
    const after = versionOf(
      { name: 'n', type: 'long', default: 4 },
      { name: 'fresh', aliases: ['old'], type: 'string', doc: 'B.' },
      { name: 'who', type: ['null', person('Two.', [{ name: 'id', type: 'string', default: 'x' }])], default: null },
      { name: 'list', type: { type: 'array', items: { type: 'enum', name: 'C', symbols: ['b', 'c'], default: 'b' } } },
      { name: 'price', type: { type: 'bytes', logicalType: 'decimal', precision: 8, scale: 2 } },
      { name: 'more', type: { type: 'map', values: ['null', 'test.Person'] } },
    );
    expect(differenceOf(before, after)).toEqual([
      { path: 'n', change: 'type-changed', detail: 'int → long' },
      { path: 'n', change: 'default-changed', detail: '3 → 4' },
      { path: 'fresh', change: 'renamed', detail: 'old → fresh' },
      { path: 'fresh', change: 'doc-changed', detail: 'B.' },
      { path: 'who', change: 'doc-changed', detail: 'Two.' },
      { path: 'who.id', change: 'added', detail: 'string, default "x"' },
      { path: 'list[]', change: 'symbols-changed', detail: 'added c; removed a' },
      { path: 'list[]', change: 'default-changed', detail: 'none → b' },
      { path: 'price', change: 'type-changed', detail: 'decimal(6, 2) → decimal(8, 2)' },
      { path: 'more', change: 'added', detail: 'map of Person or null' },
      { path: 'gone', change: 'removed', detail: 'string or null' },
    ]);
  });

  it('is nothing between equals, and added and removed change places the other way round', () => {
    fc.assert(
      fc.property(pairs(true), ({ writer, reader }) => {
        const [from, to] = [parseAvroSchema(writer as object), parseAvroSchema(reader as object)];
        expect(differenceOf(from, parseAvroSchema(writer as object))).toEqual([]);
        const count = (list: ReturnType<typeof differenceOf>, change: string): number =>
          list.filter((one) => one.change === change).length;
        const [there, back] = [differenceOf(from, to), differenceOf(to, from)];
        // Renamed fields (g0, g1, …) are known by their alias in one direction only.
        if (!JSON.stringify(reader).includes('"aliases"')) {
          expect(count(there, 'added')).toBe(count(back, 'removed'));
          expect(count(there, 'removed')).toBe(count(back, 'added'));
        }
      }),
      { numRuns: 100 },
    );
  });
});
