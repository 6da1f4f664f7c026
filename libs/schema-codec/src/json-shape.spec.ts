import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import avsc from 'avsc';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonValue } from '#libs/core';
import { EventSchema } from './event-schema.js';
import { exampleOf } from './json-example.js';
import { jsonShapeOf, type JsonShape } from './json-shape.js';
import { recordOf, typedOfFourDigits } from './random-schemas.fixture.js';

// One for all: it compiles the schema of schemas once.
const ajv = new Ajv2020({ strict: true, allowUnionTypes: true });
addFormats.default(ajv);

function validatorOf(shape: JsonShape): (json: JsonValue) => boolean {
  const validate = ajv.compile(shape);
  return (json) => validate(json);
}

const eventSchema = (schema: unknown): EventSchema => new EventSchema(9, JSON.stringify(schema));
const eventOf = (...fields: unknown[]): EventSchema =>
  eventSchema({ type: 'record', namespace: 'test', name: 'event', fields });

/** A random schema with a value of it, as JSON. */
const samples = fc
  .array(typedOfFourDigits, { maxLength: 4 })
  .map(recordOf)
  .chain(({ schema, value }) => fc.tuple(fc.constant(schema), value))
  .map(([schema, value]) => {
    const type = avsc.Type.forSchema(structuredClone(schema) as avsc.Schema, { wrapUnions: true });
    const event = eventSchema(schema);
    const bytes = Buffer.concat([Buffer.from([0, 0, 0, 0, 9]), type.toBuffer(value)]);
    return { event, json: event.decode(bytes) };
  });

/** Every place within a JSON value, with what makes the whole anew around another value there. */
function places(json: JsonValue): { at: JsonValue; replace: (value: JsonValue | undefined) => JsonValue }[] {
  if (typeof json !== 'object' || json === null) return [];
  const entries = Object.entries(json) as [string, JsonValue][];
  return entries.flatMap(([key, child]) => {
    const around = (value: JsonValue | undefined): JsonValue => {
      if (Array.isArray(json)) return json.map((item: JsonValue, i) => (String(i) === key ? (value ?? null) : item));
      const others = entries.map((entry): [string, JsonValue | undefined] => (entry[0] === key ? [key, value] : entry));
      return Object.fromEntries(others.filter((entry) => entry[1] !== undefined)) as JsonValue;
    };
    const inner = places(child).map(({ at, replace }) => ({
      at,
      replace: (value?: JsonValue) => around(replace(value)),
    }));
    return [{ at: child, replace: around }, ...inner];
  });
}

describe('the shape of a version', () => {
  it('fits all that is read of random values, and no more members', () => {
    fc.assert(
      fc.property(samples, ({ event, json }) => {
        const fits = validatorOf(jsonShapeOf(event.node));
        expect(fits(json)).toBe(true);
        expect(fits({ ...(json as object), odd: 1 })).toBe(false);
      }),
      { numRuns: 60 },
    );
  });

  it('does not fit what ingest would refuse for its type, its members or its symbols', () => {
    const strange = fc.constantFrom<JsonValue | undefined>(
      undefined,
      true,
      2.5,
      'never a symbol',
      [],
      { odd: 1 },
      null,
    );
    let refused = 0;
    fc.assert(
      fc.property(samples, fc.nat(), strange, ({ event, json }, at, value) => {
        const all = places(json);
        fc.pre(all.length > 0);
        const wrong = all[at % all.length]!.replace(value);
        const encoded = event.encode(wrong);
        const codes = encoded.ok ? [] : encoded.faults.map(({ code }) => code);
        fc.pre(codes.some((code) => code !== 'out-of-range' && code !== 'invalid-format'));
        refused += 1;
        expect(validatorOf(jsonShapeOf(event.node))(wrong)).toBe(false);
      }),
      { numRuns: 60 },
    );
    expect(refused).toBeGreaterThan(20);
  });

  it('says what consumers want to know', () => {
    const { node } = eventOf(
      { name: 'at', type: { type: 'long', logicalType: 'timestamp-millis' }, doc: 'When it was.' },
      { name: 'day', type: ['null', { type: 'int', logicalType: 'date' }], default: null },
      { name: 'price', type: { type: 'bytes', logicalType: 'decimal', precision: 6, scale: 2 } },
      { name: 'raw', type: 'bytes' },
      { name: 'two', type: { type: 'fixed', name: 'Two', size: 2 } },
      {
        name: 'colour',
        type: { type: 'enum', name: 'Colour', symbols: ['red', 'blue'], doc: 'Which.' },
        doc: 'Its colour.',
      },
      { name: 'tags', type: { type: 'map', values: { type: 'array', items: 'string' } } },
    );
    expect(jsonShapeOf(node)).toEqual({
      title: 'test.event',
      type: 'object',
      properties: {
        at: { type: 'string', format: 'date-time', description: 'When it was.' },
        day: { anyOf: [{ type: 'null' }, { type: 'string', format: 'date' }] },
        price: { type: 'string', pattern: '^-?\\d+\\.\\d{2}$', description: 'A decimal number.' },
        raw: { type: 'string', contentEncoding: 'base64' },
        two: { type: 'string', contentEncoding: 'base64', minLength: 4, maxLength: 4 },
        colour: { $ref: '#/$defs/test.Colour', description: 'Its colour.' },
        tags: { type: 'object', additionalProperties: { type: 'array', items: { type: 'string' } } },
      },
      required: ['at', 'day', 'price', 'raw', 'two', 'colour', 'tags'],
      additionalProperties: false,
      $defs: { 'test.Colour': { type: 'string', enum: ['red', 'blue'], description: 'Which.' } },
    });
  });

  it('refers to itself where a record does, also from within a larger document', () => {
    const leaf = { type: 'record', name: 'Leaf', fields: [{ name: 'up', type: ['null', 'test.event'] }] };
    const { node } = eventOf(
      { name: 'left', type: ['null', 'test.event'] },
      { name: 'leaf', type: leaf },
      { name: 'other', type: 'Leaf' },
    );
    const json = (left: JsonValue): JsonValue => ({ left, leaf: { up: null }, other: { up: null } });
    const nested = json(json({ ...(json(null) as object), leaf: { up: json(null) } }));
    const wrong = json(json({ ...(json(null) as object), leaf: { up: 5 } }));
    const inDocument: JsonShape = {
      $ref: '#/$defs/shape',
      $defs: { shape: jsonShapeOf(node, '#/$defs/shape') },
    };
    for (const fits of [validatorOf(jsonShapeOf(node)), validatorOf(inDocument)]) {
      expect(fits(nested)).toBe(true);
      expect(fits(wrong)).toBe(false);
    }
  });
});

describe('the example of a version', () => {
  it('is valid by the shape and taken by ingest, the same each time, over random schemas', () => {
    fc.assert(
      fc.property(samples, ({ event }) => {
        const example = exampleOf(event.node);
        expect(exampleOf(event.node)).toEqual(example);
        expect(validatorOf(jsonShapeOf(event.node))(example)).toBe(true);
        expect(event.encode(example)).toMatchObject({ ok: true });
      }),
      { numRuns: 60 },
    );
  });

  it('looks like something', () => {
    const { node } = eventOf(
      { name: 'taskId', type: 'string' },
      { name: 'email', type: ['null', 'string'] },
      { name: 'mentions', type: { type: 'array', items: 'string' } },
      { name: 'budget', type: { type: 'bytes', logicalType: 'decimal', precision: 12, scale: 2 } },
      { name: 'tiny', type: { type: 'fixed', name: 'T', size: 1, logicalType: 'decimal', precision: 4, scale: 3 } },
    );
    expect(exampleOf(node)).toEqual({
      taskId: 'task_1',
      email: 'ada@example.com',
      mentions: ['mention'],
      budget: '12.50',
      tiny: '0.000',
    });
  });

  it('ends where records refer to each other, and says when it cannot', () => {
    const names = Array.from({ length: 8 }, (_, i) => `N${i}`);
    const define = (i: number): object => ({
      type: 'record',
      name: names[i],
      fields: names.map((name, j) => ({
        name: `f${j}`,
        type: j === i + 1 && i + 1 < names.length ? ['null', define(i + 1)] : ['null', j <= i ? name : 'int'],
      })),
    });
    const { event } = { event: eventSchema(define(0)) };
    expect(validatorOf(jsonShapeOf(event.node))(exampleOf(event.node))).toBe(true);
    const endless = eventSchema({ type: 'record', name: 'E', fields: [{ name: 'e', type: 'E' }] });
    expect(() => exampleOf(endless.node)).toThrow(/no finite value/);
  });

  const folder = join(import.meta.dirname, '../../../schemas/events');
  it.each(readdirSync(folder).filter((name) => name.endsWith('.avsc')))('of %s is valid', (file) => {
    const event = new EventSchema(1, readFileSync(join(folder, file), 'utf8'));
    expect(event.encode(exampleOf(event.node))).toMatchObject({ ok: true });
  });
});
