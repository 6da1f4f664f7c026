import avsc from 'avsc';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonValue } from '#libs/core';
import { EventSchema } from './event-schema.js';
import { recordOf, safe, typed } from './random-schemas.fixture.js';
import { added } from './schema-pairs.fixture.js';

const eventOf = (fields: unknown, id = 9): EventSchema =>
  new EventSchema(id, JSON.stringify({ type: 'record', namespace: 'test', name: 'event', fields }));
const framed = (body: Buffer, id = 9): Buffer => {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(id, 1);
  return Buffer.concat([head, body]);
};
const faultsOf = (schema: EventSchema, json: JsonValue) => {
  const result = schema.encode(json);
  return result.ok ? [] : result.faults;
};
const bytesFor = (schema: EventSchema, json: JsonValue): Buffer => {
  const result = schema.encode(json);
  if (!result.ok) throw new Error(JSON.stringify(result.faults));
  return result.bytes;
};

describe('Avro value → JSON → Avro value', () => {
  it('is the identity over random schemas and values, also through JSON text', () => {
    fc.assert(
      fc.property(
        fc
          .array(typed, { maxLength: 4 })
          .map(recordOf)
          .chain((t) => fc.tuple(fc.constant(t.schema), t.value)),
        ([schema, value]) => {
          const type = avsc.Type.forSchema(structuredClone(schema) as avsc.Schema, { wrapUnions: true });
          const given = framed(type.toBuffer(value));
          const event = new EventSchema(9, JSON.stringify(schema));
          const json = JSON.parse(JSON.stringify(event.decode(given))) as JsonValue;
          expect(bytesFor(event, json).toString('hex')).toBe(given.toString('hex'));
        },
      ),
      { numRuns: 400 },
    );
  });

  it('leaves the JSON as it is where a union has several branches of one kind', () => {
    const event = eventOf([
      {
        name: 'u',
        type: ['null', 'int', 'long', 'string', 'bytes', { type: 'long', logicalType: 'timestamp-millis' }].slice(0, 5),
      },
    ]);
    fc.assert(
      fc.property(fc.oneof(fc.constant(null), safe, fc.string()), (u) => {
        expect(event.decode(bytesFor(event, { u }))).toEqual({ u });
      }),
    );
  });

  it('keeps longs beyond 2^53 and numbers that JSON lacks, as strings', () => {
    const event = eventOf([
      { name: 'l', type: 'long' },
      { name: 'd', type: 'double' },
      { name: 'f', type: 'float' },
    ]);
    for (const l of ['9223372036854775807', '-9223372036854775808', '9007199254740993'])
      for (const d of ['NaN', 'Infinity', '-Infinity'])
        expect(event.decode(bytesFor(event, { l, d, f: d }))).toEqual({ l, d, f: d });
    for (const l of [
      Number.MAX_SAFE_INTEGER,
      Number.MIN_SAFE_INTEGER,
      2 ** 52,
      -(2 ** 52),
      2 ** 48,
      -(2 ** 49) - 1,
      127,
      128,
      -64,
      -65,
    ])
      expect(event.decode(bytesFor(event, { l, d: 0, f: 0 }))).toEqual({ l, d: 0, f: 0 });
  });
});

describe('JSON → Avro value → JSON', () => {
  const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
  const longJson = (n: bigint): JsonValue => (Number.isSafeInteger(Number(n)) ? Number(n) : n.toString());
  const realJson = (x: number): JsonValue => (Number.isFinite(x) ? x : String(x));

  it('is the identity over all 64-bit integers and all doubles, which JSON numbers cannot all be', () => {
    const event = eventOf([
      { name: 'l', type: ['null', 'long'] },
      { name: 'd', type: { type: 'array', items: 'double' } },
    ]);
    fc.assert(
      fc.property(fc.option(int64), fc.array(fc.double().filter((x) => !Object.is(x, -0))), (l, d) => {
        const json = { l: l === null ? null : longJson(l), d: d.map(realJson) };
        expect(event.decode(bytesFor(event, json))).toEqual(json);
      }),
    );
  });

  it('is the identity over decimals of any precision and scale, in bytes and in fixed', () => {
    const decimals = fc
      .tuple(fc.integer({ min: 1, max: 30 }), fc.nat(30), fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }))
      .map(([precision, scale, n]) => ({ precision, scale: scale % (precision + 1), n: n % 10n ** BigInt(precision) }));
    fc.assert(
      fc.property(decimals, ({ precision, scale, n }) => {
        const logical = { logicalType: 'decimal', precision, scale };
        const event = eventOf([
          { name: 'b', type: { type: 'bytes', ...logical } },
          { name: 'f', type: { type: 'fixed', name: 'F', size: 16, ...logical } },
        ]);
        const digits = (n < 0n ? -n : n).toString().padStart(scale + 1, '0');
        const whole = digits.slice(0, digits.length - scale);
        const text = `${n < 0n ? '-' : ''}${whole}${scale === 0 ? '' : `.${digits.slice(-scale)}`}`;
        expect(event.decode(bytesFor(event, { b: text, f: text }))).toEqual({ b: text, f: text });
      }),
    );
  });

  it('fills in what is absent, over random fields with defaults, and then stays as it is', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(added, fc.boolean()), { maxLength: 6 }).map((fields) => ({
          fields: fields.map(([[type, value]], i) => ({ name: `f${i}`, type, default: value })),
          given: fields.map(([, given]) => given),
        })),
        ({ fields, given }) => {
          const event = eventOf(fields);
          const whole = event.decode(bytesFor(event, {})) as Record<string, JsonValue>;
          const part = Object.fromEntries(Object.entries(whole).filter((_, i) => given[i]));
          expect(event.decode(bytesFor(event, part))).toEqual(whole);
          const type = avsc.Type.forSchema({ type: 'record', name: 'event', fields } as unknown as avsc.Schema, {
            wrapUnions: true,
          });
          // avsc says what the defaults are.
          expect(bytesFor(event, part).subarray(5).toString('hex')).toBe(type.toBuffer(type.clone({})).toString('hex'));
        },
      ),
    );
  });
});

describe('the forms that consumers see', () => {
  it('are those of the table', () => {
    const event = eventOf([
      { name: 'at', type: { type: 'long', logicalType: 'timestamp-millis' } },
      { name: 'micros', type: { type: 'long', logicalType: 'timestamp-micros' } },
      { name: 'local', type: { type: 'long', logicalType: 'local-timestamp-millis' } },
      { name: 'day', type: { type: 'int', logicalType: 'date' } },
      { name: 'time', type: { type: 'int', logicalType: 'time-millis' } },
      { name: 'price', type: { type: 'bytes', logicalType: 'decimal', precision: 6, scale: 2 } },
      { name: 'raw', type: 'bytes' },
      { name: 'colour', type: { type: 'enum', name: 'Colour', symbols: ['red', 'blue'] } },
      { name: 'note', type: ['null', 'string'] },
      { name: 'big', type: 'long' },
    ]);
    const json = {
      at: '2026-03-01T12:00:00.000Z',
      micros: '1969-12-31T23:59:59.999999Z',
      local: '2026-03-01T12:00:00.000',
      day: '2026-03-01',
      time: '23:59:59.999',
      price: '-12.50',
      raw: 'AP8=',
      colour: 'blue',
      note: null,
      big: 1e15,
    };
    expect(event.decode(bytesFor(event, json))).toEqual(json);
    // What is more precise than the schema is cut; offsets are taken into account; trailing zeros do not count.
    expect(
      event.decode(bytesFor(event, { ...json, at: '2026-03-01T14:00:00.0009+02:00', price: '-12.5000', note: 'x' })),
    ).toEqual({ ...json, note: 'x' });
  });

  it('fills in defaults, nested ones included', () => {
    const event = eventOf([
      { name: 'a', type: 'string' },
      { name: 'n', type: 'int', default: 7 },
      { name: 'b', type: 'bytes', default: '\u00ff' },
      { name: 'o', type: ['null', 'string'], default: null },
      {
        name: 'r',
        type: { type: 'record', name: 'Inner', fields: [{ name: 'x', type: 'long', default: 1 }] },
        default: {},
      },
      { name: 'l', type: { type: 'array', items: 'Inner' }, default: [] },
    ]);
    expect(event.decode(bytesFor(event, { a: '' }))).toEqual({ a: '', n: 7, b: '/w==', o: null, r: { x: 1 }, l: [] });
    expect(event.decode(bytesFor(event, { a: '', l: [{}] }))).toMatchObject({ l: [{ x: 1 }] });
  });

  it('carries a member named __proto__ without touching any prototype', () => {
    const event = eventOf([{ name: 'm', type: { type: 'map', values: 'string' } }]);
    const json = JSON.parse('{"m":{"__proto__":"x"}}') as JsonValue;
    expect(JSON.stringify(event.decode(bytesFor(event, json)))).toBe('{"m":{"__proto__":"x"}}');
  });
});

describe('faults of JSON data', () => {
  const event = eventOf([
    { name: 'id', type: 'string' },
    { name: 'count', type: 'int' },
    { name: 'total', type: 'long', default: 0 },
    { name: 'ratio', type: ['null', 'float'], default: null },
    { name: 'at', type: ['null', { type: 'long', logicalType: 'timestamp-millis' }], default: null },
    { name: 'day', type: ['null', { type: 'int', logicalType: 'date' }], default: null },
    { name: 'price', type: ['null', { type: 'bytes', logicalType: 'decimal', precision: 4, scale: 2 }], default: null },
    { name: 'colour', type: ['null', { type: 'enum', name: 'Colour', symbols: ['red', 'blue'] }], default: null },
    { name: 'tags', type: { type: 'array', items: 'string' }, default: [] },
    { name: 'm', type: { type: 'map', values: 'int' }, default: {} },
    { name: 'u', type: ['null', 'int', { type: 'fixed', name: 'Two', size: 2 }, 'boolean'], default: null },
    { name: 'w', type: ['null', 'int', 'double', 'string', { type: 'fixed', name: 'Three', size: 3 }], default: null },
  ]);
  const base = { id: 'a', count: 1 };

  it.each<[JsonValue, [code: string, pointer: string][]]>([
    [null, [['wrong-type', '']]],
    [[], [['wrong-type', '']]],
    [
      {},
      [
        ['missing-field', '/id'],
        ['missing-field', '/count'],
      ],
    ],
    [
      { ...base, extra: 1, 'a/b~': 2 },
      [
        ['unknown-field', '/extra'],
        ['unknown-field', '/a~1b~0'],
      ],
    ],
    [
      { id: 5, count: '1' },
      [
        ['wrong-type', '/id'],
        ['wrong-type', '/count'],
      ],
    ],
    [{ ...base, id: null }, [['wrong-type', '/id']]],
    [{ ...base, id: '\ud800' }, [['invalid-format', '/id']]],
    [{ ...base, count: 1.5 }, [['wrong-type', '/count']]],
    [{ ...base, count: 2 ** 31 }, [['out-of-range', '/count']]],
    [{ ...base, total: 2 ** 53 }, [['out-of-range', '/total']]],
    [{ ...base, total: '9223372036854775808' }, [['out-of-range', '/total']]],
    [{ ...base, total: '12' }, [['wrong-type', '/total']]],
    [{ ...base, ratio: 1e300 }, [['out-of-range', '/ratio']]],
    [{ ...base, at: 5 }, [['wrong-type', '/at']]],
    [{ ...base, at: '2026-02-30T00:00:00Z' }, [['invalid-format', '/at']]],
    [{ ...base, day: '2026-02-30' }, [['invalid-format', '/day']]],
    [{ ...base, day: '2026-02-30T00:00:00Z' }, [['invalid-format', '/day']]],
    [{ ...base, price: 12.5 }, [['wrong-type', '/price']]],
    [{ ...base, price: '1e3' }, [['invalid-format', '/price']]],
    [{ ...base, price: '100.00' }, [['out-of-range', '/price']]],
    [{ ...base, price: '1.001' }, [['out-of-range', '/price']]],
    [{ ...base, price: '1'.repeat(200_000) }, [['out-of-range', '/price']]],
    [{ ...base, colour: 'green' }, [['invalid-symbol', '/colour']]],
    [
      { ...base, tags: ['a', 1, 'b', null] },
      [
        ['wrong-type', '/tags/1'],
        ['wrong-type', '/tags/3'],
      ],
    ],
    [{ ...base, tags: 'a' }, [['wrong-type', '/tags']]],
    [{ ...base, m: { 'x/y': 'z' } }, [['wrong-type', '/m/x~1y']]],
    [{ ...base, u: 'AAA=' }, []],
    [{ ...base, u: 'AAAA' }, [['out-of-range', '/u']]],
    [{ ...base, u: [] }, [['wrong-type', '/u']]],
    [{ ...base, w: true }, [['wrong-type', '/w']]],
    [{ ...base, w: 1e99 }, []],
    [
      { id: 1, colour: 'green', day: 'x' },
      [
        ['wrong-type', '/id'],
        ['missing-field', '/count'],
        ['invalid-format', '/day'],
        ['invalid-symbol', '/colour'],
      ],
    ],
  ])('of %j', (json, expected) => {
    const sorted = (list: [string, string][]) => list.toSorted(([, a], [, b]) => a.localeCompare(b));
    expect(sorted(faultsOf(event, json).map(({ code, pointer }) => [code, pointer]))).toEqual(sorted(expected));
  });

  it('lists a hundred at most, and does not take a value for valid because the list is full', () => {
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`x${i}`, i]));
    expect(faultsOf(event, { ...base, ...many })).toHaveLength(100);
    const list = eventOf([{ name: 'l', type: { type: 'array', items: ['boolean', 'int', 'long'] } }]);
    const result = list.encode({ l: Array.from({ length: 200 }, () => 1.5) });
    expect(result.ok).toBe(false);
  });

  it('bounds the work on nested unions and the depth of recursive records', () => {
    const tree = {
      type: 'record',
      name: 'A',
      fields: [
        {
          name: 'next',
          type: ['null', 'A', { type: 'record', name: 'B', fields: [{ name: 'next', type: ['null', 'A', 'B'] }] }],
        },
        { name: 'x', type: 'int', default: 0 },
      ],
    };
    const recursive = new EventSchema(9, JSON.stringify(tree));
    const nested = (depth: number, end: JsonValue): JsonValue => {
      let json = end;
      for (let i = 0; i < depth; i += 1) json = { next: json };
      return json;
    };
    expect(recursive.encode(nested(10, null)).ok).toBe(true);
    expect(recursive.encode(nested(60, 5)).ok).toBe(false);
    const simple = new EventSchema(
      9,
      JSON.stringify({ type: 'record', name: 'L', fields: [{ name: 'next', type: ['null', 'L'] }] }),
    );
    expect(simple.encode(nested(100_000, null))).toMatchObject({ ok: false, faults: [{ code: 'out-of-range' }] });
    const deep = framed(Buffer.alloc(200_000, 2));
    expect(() => simple.decode(Buffer.concat([deep, Buffer.from([0])]))).toThrow(/nested too deep/);
  });
});

describe('damaged Avro', () => {
  it('ends in a CodecError or in another value, soon', () => {
    fc.assert(
      fc.property(
        fc
          .array(typed, { maxLength: 4 })
          .map(recordOf)
          .chain((t) => fc.tuple(fc.constant(t.schema), t.value)),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        fc.nat(3),
        ([schema, value], changes, cut) => {
          const type = avsc.Type.forSchema(structuredClone(schema) as avsc.Schema, { wrapUnions: true });
          const given = framed(type.toBuffer(value));
          for (const [at, byte] of changes) if (given.length > 5) given[5 + (at % (given.length - 5))] = byte;
          const event = new EventSchema(9, JSON.stringify(schema));
          let code = 'none';
          try {
            event.decode(given.subarray(0, Math.max(5, given.length - cut)));
          } catch (error) {
            code = (error as { code: string }).code;
          }
          expect(['none', 'malformed']).toContain(code);
        },
      ),
      { numRuns: 400 },
    );
  });

  it('does not believe a count', () => {
    const nulls = eventOf([{ name: 'n', type: { type: 'array', items: 'null' } }]);
    const huge = Buffer.from([0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0x03, 0]);
    expect(() => nulls.decode(framed(huge))).toThrow(/count/);
    const texts = eventOf([{ name: 's', type: 'string' }]);
    expect(() => texts.decode(framed(huge))).toThrow(/length/);
  });
});
