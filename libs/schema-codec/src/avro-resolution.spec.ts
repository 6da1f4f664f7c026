import avsc from 'avsc';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonValue } from '#libs/core';
import { EventSchema } from './event-schema.js';
import { pairs } from './schema-pairs.fixture.js';

const avscType = (schema: unknown): avsc.Type =>
  avsc.Type.forSchema(structuredClone(schema) as avsc.Schema, { wrapUnions: true });
const eventSchema = (id: number, schema: unknown): EventSchema => new EventSchema(id, JSON.stringify(schema));
const versionOf = (id: number, ...fields: unknown[]): EventSchema =>
  eventSchema(id, { type: 'record', namespace: 'test', name: 'event', fields });
const framed = (id: number, body: Buffer): Buffer => Buffer.concat([Buffer.from([0, 0, 0, 0, id]), body]);

/** What a value that was given in the writer's JSON is in the reader's. */
const asRead = (writer: EventSchema, reader: EventSchema, json: JsonValue): JsonValue | undefined => {
  const encoded = writer.encode(json);
  if (!encoded.ok) throw new Error(JSON.stringify(encoded.faults));
  return writer.decodeAs(reader, encoded.bytes);
};

describe('reading one version as another', () => {
  it('agrees with avsc over random schemas, evolutions and values', () => {
    fc.assert(
      fc.property(
        pairs(false).chain((pair) => fc.tuple(fc.constant(pair), pair.value)),
        ([pair, value]) => {
          const [writer, reader] = [avscType(pair.writer), avscType(pair.reader)];
          const body = writer.toBuffer(value);
          const resolved = reader.toBuffer(reader.fromBuffer(body, reader.createResolver(writer)));
          const expected = eventSchema(2, pair.reader).decode(framed(2, resolved));
          const json = eventSchema(1, pair.writer).decodeAs(eventSchema(2, pair.reader), framed(1, body));
          // As text: members stand in the reader's order too.
          expect(JSON.stringify(json)).toBe(JSON.stringify(expected));
        },
      ),
      { numRuns: 200 },
    );
  });

  it('takes for readable what avsc takes for readable', () => {
    let unreadable = 0;
    fc.assert(
      fc.property(pairs(true), ({ writer, reader, value }) => {
        let readable = true;
        try {
          avscType(reader).createResolver(avscType(writer));
        } catch {
          readable = false;
          unreadable += 1;
        }
        const [sample] = fc.sample(value, { numRuns: 1, seed: 1 });
        const body = framed(1, avscType(writer).toBuffer(sample));
        expect(eventSchema(1, writer).decodeAs(eventSchema(2, reader), body) !== undefined).toBe(readable);
      }),
      { numRuns: 150 },
    );
    expect(unreadable).toBeGreaterThan(10);
  });

  it('keeps longs beyond 2^53, which avsc cannot', () => {
    const from = versionOf(1, { name: 'n', type: 'long' });
    const to = versionOf(2, { name: 'm', aliases: ['n'], type: ['null', 'long'] });
    for (const n of ['9223372036854775807', '-9223372036854775808', '9007199254740993'])
      expect(asRead(from, to, { n })).toEqual({ m: n });
    const real = versionOf(3, { name: 'n', type: 'double' });
    expect(asRead(from, real, { n: '9223372036854775807' })).toEqual({ n: 2 ** 63 });
    const short = versionOf(4, { name: 'n', type: 'float' });
    expect(asRead(from, short, { n: 16_777_217 })).toEqual({ n: 16_777_216 });
  });

  it('reads decimals, times and what had no logical type before', () => {
    const price = (more: object) => ({ name: 'p', type: { type: 'bytes', logicalType: 'decimal', ...more } });
    const from = versionOf(1, price({ precision: 6, scale: 2 }), { name: 'at', type: 'long' });
    const time = { name: 'at', type: { type: 'long', logicalType: 'timestamp-millis' } };
    const to = versionOf(2, time, price({ precision: 6, scale: 2 }));
    expect(asRead(from, to, { p: '12.50', at: 0 })).toEqual({ p: '12.50', at: '1970-01-01T00:00:00.000Z' });
    expect(asRead(to, from, { p: '-0.01', at: '1970-01-01T00:00:01Z' })).toEqual({ p: '-0.01', at: 1_000 });
  });

  it('refuses a logical type that changes its unit: the same number would be another value', () => {
    const decimal = (scale: number) => ({ type: 'bytes', logicalType: 'decimal', precision: 6, scale });
    const changes = [
      [decimal(2), decimal(3)],
      [
        { type: 'long', logicalType: 'timestamp-millis' },
        { type: 'long', logicalType: 'timestamp-micros' },
      ],
      [
        { type: 'int', logicalType: 'date' },
        { type: 'long', logicalType: 'timestamp-millis' },
      ],
    ];
    for (const [before, after] of changes) {
      const from = versionOf(1, { name: 'x', type: ['null', before], default: null });
      const to = versionOf(2, { name: 'x', type: ['null', after], default: null });
      expect(asRead(from, to, { x: null })).toBeUndefined();
    }
  });

  it('fills in defaults of added fields anew for each event, and the default of an enum for unknown symbols', () => {
    const from = versionOf(1, { name: 'c', type: { type: 'enum', name: 'C', symbols: ['red', 'blue'] } });
    const to = versionOf(
      2,
      { name: 'tags', type: { type: 'array', items: 'string' }, default: ['a'] },
      { name: 'c', type: { type: 'enum', name: 'C', symbols: ['red', 'other'], default: 'other' } },
    );
    const first = asRead(from, to, { c: 'blue' }) as { tags: string[] };
    first.tags.push('changed');
    expect(asRead(from, to, { c: 'red' })).toEqual({ tags: ['a'], c: 'red' });
    expect(asRead(from, to, { c: 'blue' })).toEqual({ tags: ['a'], c: 'other' });
  });

  it('prefers the branch of the same type to one that it could be promoted to', () => {
    const from = versionOf(1, { name: 'u', type: ['null', 'int', 'string'] });
    const to = versionOf(2, { name: 'u', type: ['null', 'bytes', 'double', 'string', 'int'] });
    expect(asRead(from, to, { u: 'text' })).toEqual({ u: 'text' });
    expect(asRead(from, to, { u: 5 })).toEqual({ u: 5 });
  });

  it('finds out that a recursive record cannot be read, however deep the reason lies', () => {
    const list = (id: number, leaf: string) =>
      versionOf(
        id,
        { name: 'next', type: ['null', 'test.event'], default: null },
        { name: 'x', type: { type: 'array', items: ['null', 'test.event', leaf] } },
      );
    expect(asRead(list(1, 'string'), list(2, 'int'), { x: [] })).toBeUndefined();
    expect(asRead(list(1, 'int'), list(2, 'long'), { x: [{ x: [5] }] })).toEqual({
      next: null,
      x: [{ next: null, x: [5] }],
    });
  });

  it('carries a field named __proto__ that is renamed', () => {
    const from = versionOf(1, { name: 'p', type: 'string' });
    const to = versionOf(2, { name: '__proto__', aliases: ['p'], type: 'string' });
    expect(JSON.stringify(asRead(from, to, { p: 'x' }))).toBe('{"__proto__":"x"}');
  });
});

describe('damaged data, read as another version', () => {
  it('ends in a CodecError or in another value, soon', () => {
    fc.assert(
      fc.property(
        pairs(false).chain((pair) => fc.tuple(fc.constant(pair), pair.value)),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        fc.nat(3),
        ([pair, value], changes, cut) => {
          const given = framed(1, avscType(pair.writer).toBuffer(value));
          for (const [at, byte] of changes) if (given.length > 5) given[5 + (at % (given.length - 5))] = byte;
          let code = 'none';
          try {
            const bytes = given.subarray(0, Math.max(5, given.length - cut));
            eventSchema(1, pair.writer).decodeAs(eventSchema(2, pair.reader), bytes);
          } catch (error) {
            code = (error as { code: string }).code;
          }
          expect(['none', 'malformed']).toContain(code);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('does not believe a count, also of a field that the reader does not want', () => {
    const huge = Buffer.from([0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0x03, 0]);
    const nothing = versionOf(2);
    for (const type of [{ type: 'array', items: 'null' }, 'string', { type: 'map', values: 'int' }, 'bytes']) {
      const from = versionOf(1, { name: 'n', type });
      for (const to of [nothing, versionOf(2, { name: 'm', aliases: ['n'], type })])
        expect(() => from.decodeAs(to, framed(1, huge))).toThrow(/count|length/);
    }
  });

  it('bounds the depth of recursive records, and the work where one field becomes two', () => {
    const from = versionOf(1, { name: 'next', type: ['null', 'test.event'], default: null });
    const two = versionOf(
      2,
      { name: 'a', aliases: ['next'], type: ['null', 'test.event'], default: null },
      { name: 'b', aliases: ['next'], type: ['null', 'test.event'], default: null },
    );
    const nested = (depth: number): Buffer => framed(1, Buffer.concat([Buffer.alloc(depth, 2), Buffer.from([0])]));
    expect(from.decodeAs(two, nested(1))).toEqual({ a: { a: null, b: null }, b: { a: null, b: null } });
    // Twice the work for each level: 2^60 without a bound.
    expect(() => from.decodeAs(two, nested(60))).toThrow(/too often/);
    const one = versionOf(3, { name: 'a', aliases: ['next'], type: ['null', 'test.event'], default: null });
    expect(() => from.decodeAs(one, nested(200_000))).toThrow(/nested too deep/);
  });
});
