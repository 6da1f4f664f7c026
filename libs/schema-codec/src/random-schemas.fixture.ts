/** Random Avro schemas with values of them. */
import fc from 'fast-check';

/** A schema with values of it, as avsc takes them with `wrapUnions`. `kind` is the JSON kind that they map to. */
export interface Typed {
  readonly schema: unknown;
  readonly value: fc.Arbitrary<unknown>;
  readonly kind: 'null' | 'boolean' | 'number' | 'string' | 'array' | 'object';
  /** Its branch in a wrapped union. */
  readonly branch: string;
}

const day = 86_400_000;
const maxDate = 8.64e15;
// avsc, which encodes the values here, does not take ±(2^53 - 1).
export const safe = fc.integer({ min: Number.MIN_SAFE_INTEGER + 1, max: Number.MAX_SAFE_INTEGER - 1 });
const bytes = fc.uint8Array({ maxLength: 12 }).map((b) => Buffer.from(b));
const real = fc.double({ noDefaultInfinity: true, noNaN: true }).filter((x) => !Object.is(x, -0));
/** Shortest two's complement, as Avro writers make it. */
const decimalBytes = fc.bigInt({ min: -999_999_999_999n, max: 999_999_999_999n }).map((n) => {
  let length = 1;
  while (BigInt.asIntN(length * 8, n) !== n) length += 1;
  return Buffer.from(
    BigInt.asUintN(length * 8, n)
      .toString(16)
      .padStart(length * 2, '0'),
    'hex',
  );
});

let names = 0;
export const fresh = (prefix: string): string => `${prefix}${(names += 1)}`;

const leaf = (
  schema: unknown,
  kind: Typed['kind'],
  value: fc.Arbitrary<unknown>,
  branch = schema as string,
): Typed => ({ schema, kind, value, branch });
const logical = (type: string, logicalType: string, value: fc.Arbitrary<unknown>, more: object = {}): Typed =>
  leaf({ type, logicalType, ...more }, 'string', value, type);

/** With dates and times between two instants, in ms. */
const leavesWithin = (first: number, last: number): readonly Typed[] => [
  leaf('null', 'null', fc.constant(null)),
  leaf('boolean', 'boolean', fc.boolean()),
  leaf('int', 'number', fc.integer()),
  leaf('long', 'number', safe),
  leaf('double', 'number', real),
  leaf(
    'float',
    'number',
    fc.float({ noDefaultInfinity: true, noNaN: true }).filter((x) => !Object.is(x, -0)),
  ),
  leaf(
    'string',
    'string',
    fc.string({ unit: 'binary' }).filter((s) => s.isWellFormed()),
  ),
  leaf('bytes', 'string', bytes),
  logical('long', 'timestamp-millis', fc.integer({ min: first, max: last })),
  logical('long', 'timestamp-micros', safe),
  logical('long', 'local-timestamp-millis', fc.integer({ min: first, max: last })),
  logical('long', 'local-timestamp-micros', safe),
  logical('long', 'time-micros', fc.integer({ min: 0, max: day * 1000 - 1 })),
  logical('int', 'time-millis', fc.integer({ min: 0, max: day - 1 })),
  logical('int', 'date', fc.integer({ min: Math.ceil(first / day), max: Math.floor(last / day) })),
  logical('string', 'uuid', fc.uuid()),
  logical('bytes', 'decimal', decimalBytes, { precision: 12, scale: 3 }),
  leaf({ type: 'long', logicalType: 'of-nobody' }, 'number', safe, 'long'),
];

/** As far as any calendar reaches. */
export const leaves = leavesWithin(-maxDate, maxDate);

const leafOf = (plain: readonly Typed[]) =>
  fc.oneof(
    fc.constantFrom(...plain),
    fc.integer({ min: 1, max: 6 }).map((size): Typed => {
      const name = fresh('F');
      return leaf(
        { type: 'fixed', name, size },
        'string',
        fc.uint8Array({ minLength: size, maxLength: size }).map((b) => Buffer.from(b)),
        name,
      );
    }),
    fc.uniqueArray(fc.stringMatching(/^[A-Z]{1,4}$/), { minLength: 1, maxLength: 4 }).map((symbols): Typed => {
      const name = fresh('E');
      return leaf({ type: 'enum', name, symbols }, 'string', fc.constantFrom(...symbols), name);
    }),
  );

export const recordOf = (parts: readonly Typed[]): Typed => {
  const name = fresh('R');
  const nameOf = (i: number): string => (i === 3 ? 'constructor' : `f${i}`);
  const fields = parts.map((part, i) => ({ name: nameOf(i), type: part.schema }));
  const value = fc.record(Object.fromEntries(parts.map((part, i) => [nameOf(i), part.value])), {
    noNullPrototype: true,
  });
  return { schema: { type: 'record', name, fields }, kind: 'object', value, branch: name };
};

/** A union whose branches JSON tells apart: one of each kind. */
const unionOf = (parts: readonly Typed[]): Typed => {
  const apart = parts.filter(
    (part, i) =>
      !Array.isArray(part.schema) &&
      parts.findIndex((other) => other.kind === part.kind || other.branch === part.branch) === i,
  );
  const branches = apart.length === 0 ? leaves.slice(0, 1) : apart;
  const value = fc.oneof(
    ...branches.map((b) => (b.kind === 'null' ? fc.constant(null) : b.value.map((v) => ({ [b.branch]: v })))),
  );
  return { schema: branches.map((b) => b.schema), kind: 'null', value, branch: 'union' };
};

const typedOf = (plain: readonly Typed[]): fc.Arbitrary<Typed> =>
  fc.letrec<{ any: Typed }>((tie) => ({
    any: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      leafOf(plain),
      fc.array(tie('any'), { maxLength: 5 }).map(recordOf),
      tie('any').map((t): Typed => ({
        schema: { type: 'array', items: t.schema },
        kind: 'array',
        value: fc.array(t.value, { maxLength: 4 }),
        branch: 'array',
      })),
      tie('any').map((t): Typed => ({
        schema: { type: 'map', values: t.schema },
        kind: 'object',
        value: fc.dictionary(
          fc.string({ maxLength: 5 }).filter((key) => key !== '__proto__'),
          t.value,
          { maxKeys: 4, noNullPrototype: true },
        ),
        branch: 'map',
      })),
      fc.array(tie('any'), { minLength: 1, maxLength: 4 }).map(unionOf),
    ),
  })).any;

export const typed = typedOf(leaves);
/** Years 0000 to 9999 only. */
export const typedOfFourDigits = typedOf(
  leavesWithin(Date.UTC(2000, 0) - 2_000 * 365.2425 * day, Date.UTC(9999, 11, 31)),
);
