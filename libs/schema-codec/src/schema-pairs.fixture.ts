/** Two versions of a random schema, with values of the first. */
import fc from 'fast-check';
import { fresh, leaves, safe, type Typed } from './random-schemas.fixture.js';

export interface Pair {
  readonly writer: unknown;
  readonly reader: unknown;
  /** Of the writer, as avsc takes it with `wrapUnions`. */
  readonly value: fc.Arbitrary<unknown>;
  readonly kind: Typed['kind'];
  /** Its branch in a wrapped union of the writer's. */
  readonly branch: string;
}

interface Member {
  readonly pair: Pair;
  readonly fate: 'kept' | 'removed' | 'renamed' | 'split';
}

const text = fc.string({ unit: 'binary' }).filter((s) => s.isWellFormed());
const same = ({ schema, value, kind, branch }: Typed): Pair => ({
  writer: schema,
  reader: schema,
  value,
  kind,
  branch,
});
const promoted = (writer: string, reader: string, value: fc.Arbitrary<unknown>, kind: Pair['kind']): Pair => ({
  writer,
  reader,
  value,
  kind,
  branch: writer,
});

const promotions = fc.constantFrom(
  promoted('int', 'long', fc.integer(), 'number'),
  promoted('int', 'float', fc.integer(), 'number'),
  promoted('int', 'double', fc.integer(), 'number'),
  promoted('long', 'float', safe, 'number'),
  promoted('long', 'double', safe, 'number'),
  promoted(
    'float',
    'double',
    fc.float({ noNaN: true, noDefaultInfinity: true }).filter((x) => x !== 0),
    'number',
  ),
  promoted('string', 'bytes', text, 'string'),
  promoted(
    'bytes',
    'string',
    text.map((s) => Buffer.from(s)),
    'string',
  ),
);

/** A field that only the reader has: its type and default. */
export const added = fc.constantFrom<readonly [type: unknown, value: unknown]>(
  ['int', 7],
  ['long', -1],
  ['string', 'x'],
  ['boolean', true],
  ['double', 0.5],
  ['bytes', '\u00ff'],
  [['null', 'string'], null],
  [['string', 'null'], 'y'],
  [{ type: 'array', items: 'int' }, [1, 2]],
  [{ type: 'map', values: 'long' }, { a: 1 }],
  [{ type: 'long', logicalType: 'timestamp-millis' }, 0],
);

const symbols = fc.uniqueArray(fc.stringMatching(/^[A-Z]{1,3}$/), { minLength: 1, maxLength: 5 });
const enums = fc.record({ from: symbols, to: symbols, renamed: fc.boolean() }).map(({ from, to, renamed }): Pair => {
  const name = fresh('E');
  const reader = { type: 'enum', symbols: to, default: to[0] };
  return {
    writer: { type: 'enum', name, symbols: from },
    reader: renamed ? { ...reader, name: fresh('E'), aliases: [name] } : { ...reader, name },
    value: fc.constantFrom(...from),
    kind: 'string',
    branch: name,
  };
});

function recordPair(members: readonly Member[], news: readonly (readonly [unknown, unknown])[], turn: number): Pair {
  const name = fresh('R');
  const field = ({ pair }: Member, i: number) => ({ name: `f${i}`, type: pair.writer });
  const readers = members.flatMap(({ pair, fate }, i) => {
    const type = pair.reader;
    if (fate === 'removed') return [];
    if (fate === 'kept') return [{ name: `f${i}`, type }];
    if (fate === 'renamed' || definesNames(type)) return [{ name: `g${i}`, type, aliases: [`f${i}`] }];
    return [
      { name: `f${i}`, type },
      { name: `g${i}`, type, aliases: [`f${i}`] },
    ];
  });
  const fields = [...readers, ...news.map(([type, value], i) => ({ name: `n${i}`, type, default: value }))];
  const at = turn % Math.max(1, fields.length);
  const value = fc.record(Object.fromEntries(members.map(({ pair }, i) => [`f${i}`, pair.value])), {
    noNullPrototype: true,
  });
  return {
    writer: { type: 'record', name, fields: members.map(field) },
    reader: { type: 'record', name, fields: [...fields.slice(at), ...fields.slice(0, at)] },
    value,
    kind: 'object',
    branch: name,
  };
}

/** A type with a name cannot stand in a schema twice. */
const definesNames = (type: unknown): boolean => JSON.stringify(type).includes('"name"');

/** What may be promoted to one another: of those, avsc would take the reader's first. */
const family = (type: unknown): string => {
  const name = typeof type === 'object' && type !== null && 'type' in type ? type.type : type;
  if (['int', 'long', 'float', 'double'].includes(String(name))) return 'number';
  return ['string', 'bytes'].includes(String(name)) ? 'text' : String(name);
};

/** Branches that JSON, and promotion, tell apart; the reader has one more, in front. */
function unionPair(parts: readonly Pair[], wider: boolean): Pair {
  const apart = parts.filter(
    (part, i) =>
      !Array.isArray(part.writer) &&
      !Array.isArray(part.reader) &&
      parts.findIndex(
        (other) =>
          other.kind === part.kind ||
          family(other.writer) === family(part.writer) ||
          family(other.reader) === family(part.reader),
      ) === i,
  );
  const branches = apart.length === 0 ? leaves.slice(0, 1).map(same) : apart;
  const more = wider && !branches.some(({ reader }) => reader === 'boolean') ? ['boolean'] : [];
  return {
    writer: branches.map((one) => one.writer),
    reader: [...more, ...branches.map((one) => one.reader)],
    value: fc.oneof(
      ...branches.map((one) =>
        one.kind === 'null' ? fc.constant(null) : one.value.map((value) => ({ [one.branch]: value })),
      ),
    ),
    kind: 'null',
    branch: 'union',
  };
}

/** Nothing before, perhaps nothing afterwards. */
const optional = (pair: Pair): Pair =>
  Array.isArray(pair.reader) || pair.reader === 'null' ? pair : { ...pair, reader: ['null', pair.reader] };

const chain = (pair: Pair): Pair => {
  const name = fresh('C');
  const record = (type: unknown, more: readonly object[]) => ({
    type: 'record',
    name,
    fields: [{ name: 'v', type }, { name: 'next', type: ['null', name] }, ...more],
  });
  const link = (next: unknown, v: unknown): unknown => ({ v, next: next === null ? null : { [name]: next } });
  return {
    writer: record(pair.writer, []),
    reader: record(pair.reader, [{ name: 'n', type: 'int', default: 3 }]),
    value: fc.array(pair.value, { minLength: 1, maxLength: 4 }).map((values) => values.reduce(link, null)),
    kind: 'object',
    branch: name,
  };
};

const plain = leaves.filter(({ schema }) => typeof schema === 'string');
/** Two types that have nothing to do with each other; by chance one may be promoted to the other. */
const clash = fc
  .tuple(fc.constantFrom(...plain), fc.constantFrom(...plain))
  .map(([from, to]): Pair => ({ ...same(from), reader: to.schema }));
const named = fc.constantFrom<(name: string) => Omit<Pair, 'kind' | 'branch'>>(
  (name) => ({
    writer: { type: 'enum', name, symbols: ['A', 'B'] },
    reader: { type: 'enum', name, symbols: ['A'] },
    value: fc.constantFrom('A', 'B'),
  }),
  (name) => ({
    writer: { type: 'fixed', name, size: 2 },
    reader: { type: 'fixed', name, size: 3 },
    value: fc.constant(Buffer.alloc(2)),
  }),
  (name) => ({
    writer: { type: 'record', name, fields: [] },
    reader: { type: 'record', name, fields: [{ name: 'x', type: 'int' }] },
    value: fc.constant({}),
  }),
  (name) => ({
    writer: { type: 'record', name, fields: [] },
    reader: { type: 'record', name: `${name}other`, fields: [] },
    value: fc.constant({}),
  }),
);
const clashes = fc.oneof(
  clash,
  named.map((make): Pair => {
    const name = fresh('X');
    return { ...make(name), kind: 'object', branch: name };
  }),
);

/** @param faulty whether some of the pairs are not compatible */
export const pairs = (faulty: boolean): fc.Arbitrary<Pair> => {
  const { any } = fc.letrec<{ any: Pair }>((tie) => ({
    any: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      { weight: 3, arbitrary: fc.constantFrom(...leaves).map(same) },
      { weight: 3, arbitrary: promotions },
      { weight: 2, arbitrary: enums },
      { weight: faulty ? 1 : 0, arbitrary: clashes },
      { weight: 5, arbitrary: record(tie('any')) },
      {
        weight: 1,
        arbitrary: tie('any').map((one): Pair => ({
          writer: { type: 'array', items: one.writer },
          reader: { type: 'array', items: one.reader },
          value: fc.array(one.value, { maxLength: 4 }),
          kind: 'array',
          branch: 'array',
        })),
      },
      {
        weight: 1,
        arbitrary: tie('any').map((one): Pair => ({
          writer: { type: 'map', values: one.writer },
          reader: { type: 'map', values: one.reader },
          value: fc.dictionary(
            fc.string({ maxLength: 5 }).filter((key) => key !== '__proto__'),
            one.value,
            { maxKeys: 4, noNullPrototype: true },
          ),
          kind: 'object',
          branch: 'map',
        })),
      },
      {
        weight: 2,
        arbitrary: fc
          .tuple(fc.array(tie('any'), { minLength: 1, maxLength: 4 }), fc.boolean())
          .map(([parts, wider]) => unionPair(parts, wider)),
      },
      { weight: 1, arbitrary: tie('any').map(optional) },
      { weight: 1, arbitrary: tie('any').map(chain) },
    ),
  }));
  return record(any);
};

const record = (any: fc.Arbitrary<Pair>): fc.Arbitrary<Pair> =>
  fc
    .tuple(
      fc.array(fc.record({ pair: any, fate: fc.constantFrom('kept', 'kept', 'removed', 'renamed', 'split') }), {
        maxLength: 4,
      }),
      fc.array(added, { maxLength: 2 }),
      fc.nat(9),
    )
    .map(([members, news, turn]) => recordPair(members, news, turn));
