import avsc from 'avsc';

/** Logical types that have a form of their own in JSON. Others are mapped as what they are made of. */
export type Logical =
  | { readonly name: 'decimal'; readonly precision: number; readonly scale: number }
  | { readonly name: 'date' | 'time-millis' | 'time-micros' | 'uuid' }
  | { readonly name: 'timestamp-millis' | 'timestamp-micros' | 'local-timestamp-millis' | 'local-timestamp-micros' };

export interface AvroField {
  readonly name: string;
  readonly node: AvroNode;
  /** Avro encoding of the default; null when there is none. */
  readonly defaultBytes: Buffer | null;
  /** Earlier names. */
  readonly aliases: readonly string[];
  readonly doc: string | null;
}

/** What types with a name have. */
interface Named {
  readonly name: string;
  /** Earlier full names. */
  readonly aliases: readonly string[];
  readonly doc: string | null;
}

/** A schema as a tree (a graph, where records are recursive), with names resolved. */
export type AvroNode =
  | { readonly kind: 'null' | 'boolean' | 'float' | 'double' }
  | { readonly kind: 'int' | 'long' | 'string' | 'bytes'; readonly logical: Logical | null }
  | (Named & { readonly kind: 'fixed'; readonly size: number; readonly logical: Logical | null })
  | (Named & {
      readonly kind: 'enum';
      readonly symbols: readonly string[];
      /** Taken for symbols that a reader does not know. */
      readonly defaultSymbol: string | null;
    })
  | { readonly kind: 'array'; readonly items: AvroNode }
  | { readonly kind: 'map'; readonly values: AvroNode }
  | (Named & { readonly kind: 'record'; readonly fields: AvroField[] })
  | { readonly kind: 'union'; readonly branches: readonly AvroNode[] };

/** What a schema says in JSON, beside what avsc makes of it. */
type Raw = string | readonly Raw[] | RawObject;
interface RawObject {
  readonly type: Raw;
  readonly logicalType?: string;
  readonly precision?: number;
  readonly scale?: number;
  readonly fields?: readonly { readonly name: string; readonly type: Raw }[];
  readonly items?: Raw;
  readonly values?: Raw;
}

/**
 * Parses an Avro schema. avsc checks it, resolves its names and encodes its defaults; the logical types, which avsc
 * forgets, are read beside it.
 * @throws Error on what is no Avro schema
 */
export function parseAvroSchema(schema: object): AvroNode {
  // avsc takes what it is given for its own and adds to it.
  const type = avsc.Type.forSchema(structuredClone(schema) as avsc.Schema, { wrapUnions: true });
  return nodeOf(schema as Raw, type, new Map());
}

function nodeOf(raw: Raw, type: avsc.Type, named: Map<string, AvroNode>): AvroNode {
  const known = type.name === undefined ? undefined : named.get(type.name);
  if (known !== undefined) return known;
  // `{ "type": { "type": "string" } }` is the inner one.
  if (isObject(raw) && typeof raw.type !== 'string') return nodeOf(raw.type, type, named);
  const object = isObject(raw) ? raw : null;
  if (type instanceof avsc.types.RecordType) return recordOf(object, type, named);
  if (type instanceof avsc.types.ArrayType)
    return { kind: 'array', items: nodeOf(object?.items ?? 'null', type.itemsType, named) };
  if (type instanceof avsc.types.MapType)
    return { kind: 'map', values: nodeOf(object?.values ?? 'null', type.valuesType, named) };
  if (type instanceof avsc.types.EnumType)
    return keep(named, { kind: 'enum', ...namedOf(type), symbols: type.symbols, defaultSymbol: defaultOf(type) });
  if (type instanceof avsc.types.FixedType) {
    const logical = logicalOf(object, ['decimal']);
    return keep(named, { kind: 'fixed', ...namedOf(type), size: type.size, logical });
  }
  if (avsc.Type.isType(type, 'union')) {
    const branches = raw as readonly Raw[];
    const types = (type as avsc.types.WrappedUnionType).types;
    return { kind: 'union', branches: types.map((branch, index) => nodeOf(branches[index] ?? 'null', branch, named)) };
  }
  switch (type.typeName) {
    case 'int':
      return { kind: 'int', logical: logicalOf(object, ['date', 'time-millis']) };
    case 'long':
      return { kind: 'long', logical: logicalOf(object, longLogicals) };
    case 'string':
      return { kind: 'string', logical: logicalOf(object, ['uuid']) };
    case 'bytes':
      return { kind: 'bytes', logical: logicalOf(object, ['decimal']) };
    case 'null':
    case 'boolean':
    case 'float':
    case 'double':
      return { kind: type.typeName };
    default:
      throw new Error(`Avro type ${type.typeName} is not known`);
  }
}

const longLogicals = [
  'timestamp-millis',
  'timestamp-micros',
  'local-timestamp-millis',
  'local-timestamp-micros',
  'time-micros',
] as const;

const isObject = (raw: Raw): raw is RawObject => typeof raw === 'object' && !Array.isArray(raw);

function recordOf(raw: RawObject | null, type: avsc.types.RecordType, named: Map<string, AvroNode>): AvroNode {
  const fields: AvroField[] = [];
  // Known before its fields are read, because they may refer to it.
  const node = keep(named, { kind: 'record', ...namedOf(type), fields });
  for (const [index, field] of type.fields.entries()) {
    const defaultValue = field.defaultValue() as unknown;
    fields.push({
      name: field.name,
      node: nodeOf(raw?.fields?.[index]?.type ?? 'null', field.type, named),
      defaultBytes: defaultValue === undefined ? null : field.type.toBuffer(defaultValue),
      aliases: field.aliases,
      doc: docOf(field),
    });
  }
  return node;
}

const namedOf = (type: avsc.Type): Named => ({
  name: type.name ?? '',
  aliases: type.aliases ?? [],
  doc: type.doc ?? null,
});

// avsc has these, but not in its types.
const defaultOf = (type: avsc.types.EnumType): string | null => (type as { default?: string }).default ?? null;
const docOf = (field: avsc.types.Field): string | null => (field as { doc?: string }).doc ?? null;

function keep<N extends AvroNode & { readonly name: string }>(named: Map<string, AvroNode>, node: N): N {
  named.set(node.name, node);
  return node;
}

function logicalOf(raw: RawObject | null, allowed: readonly Logical['name'][]): Logical | null {
  const name = allowed.find((candidate) => candidate === raw?.logicalType);
  if (raw === null || name === undefined) return null;
  if (name !== 'decimal') return { name };
  const { precision = 0, scale = 0 } = raw;
  // The specification has an invalid logical type ignored.
  const valid =
    Number.isInteger(precision) && Number.isInteger(scale) && precision > 0 && scale >= 0 && scale <= precision;
  return valid ? { name, precision, scale } : null;
}
