import type { JsonValue } from '#libs/core';
import type { AvroNode, Logical } from './avro-node.js';

/** A JSON Schema, draft 2020-12. */
export type JsonShape = { readonly [keyword: string]: JsonValue };

/**
 * JSON Schema (2020-12) of what consumers receive in a version: of the JSON that avro-to-json.ts makes. Every field is
 * there, so all are required. `format` holds for the years 0000 to 9999; beyond them ECMAScript's form is used. Records and
 * enums stand under their full names in `$defs`.
 *
 * @param base JSON pointer of where the shape will stand in its document, such as `#/components/schemas/task.updated`
 */
export function jsonShapeOf(node: AvroNode, base = '#'): JsonShape {
  const shapes = new Shapes(node, base);
  const root = shapes.inlineOf(node);
  return shapes.defs.size === 0 ? root : { ...root, $defs: Object.fromEntries(shapes.defs) };
}

class Shapes {
  readonly defs = new Map<string, JsonShape>();
  readonly #root: AvroNode;
  readonly #base: string;

  constructor(root: AvroNode, base: string) {
    this.#root = root;
    this.#base = base;
  }

  inlineOf(node: AvroNode): JsonShape {
    switch (node.kind) {
      case 'null':
      case 'boolean':
        return { type: node.kind };
      case 'float':
      case 'double':
        return { anyOf: [{ type: 'number' }, { enum: ['NaN', 'Infinity', '-Infinity'] }] };
      case 'int':
        return temporalShape(node.logical) ?? { type: 'integer', minimum: -(2 ** 31), maximum: 2 ** 31 - 1 };
      case 'long':
        return temporalShape(node.logical) ?? longShape;
      case 'string':
        return node.logical?.name === 'uuid' ? { type: 'string', format: 'uuid' } : { type: 'string' };
      case 'bytes':
        return decimalShape(node.logical) ?? { type: 'string', contentEncoding: 'base64' };
      case 'fixed':
        return decimalShape(node.logical) ?? fixedShape(node.size);
      case 'enum':
        return { ...described(node.doc), type: 'string', enum: [...node.symbols] };
      case 'array':
        return { type: 'array', items: this.#shapeOf(node.items) };
      case 'map':
        return { type: 'object', additionalProperties: this.#shapeOf(node.values) };
      case 'union': {
        const [only, ...others] = node.branches.map((branch) => this.#shapeOf(branch));
        return only !== undefined && others.length === 0 ? only : { anyOf: [only ?? false, ...others] };
      }
      case 'record':
        return {
          title: node.name,
          ...described(node.doc),
          type: 'object',
          // Not by assignment, which a field named __proto__ would not survive.
          properties: Object.fromEntries(
            node.fields.map((field) => [field.name, { ...this.#shapeOf(field.node), ...described(field.doc) }]),
          ),
          required: node.fields.map(({ name }) => name),
          additionalProperties: false,
        };
    }
  }

  #shapeOf(node: AvroNode): JsonShape {
    if (node.kind !== 'record' && node.kind !== 'enum') return this.inlineOf(node);
    if (node === this.#root) return { $ref: this.#base };
    if (!this.defs.has(node.name)) {
      // Taken before its fields are looked at, because they may refer to it.
      this.defs.set(node.name, {});
      this.defs.set(node.name, this.inlineOf(node));
    }
    return { $ref: `${this.#base}/$defs/${node.name}` };
  }
}

const described = (doc: string | null): JsonShape => (doc === null ? {} : { description: doc });

const longShape: JsonShape = {
  type: ['integer', 'string'],
  minimum: Number.MIN_SAFE_INTEGER,
  maximum: Number.MAX_SAFE_INTEGER,
  pattern: '^-?\\d{16,19}$',
  description: 'A 64-bit integer; as a string beyond ±2^53.',
};

function decimalShape(logical: Logical | null): JsonShape | null {
  if (logical?.name !== 'decimal') return null;
  const fraction = logical.scale === 0 ? '' : `\\.\\d{${logical.scale}}`;
  return { type: 'string', pattern: `^-?\\d+${fraction}$`, description: 'A decimal number.' };
}

function fixedShape(size: number): JsonShape {
  const length = Math.ceil(size / 3) * 4;
  return { type: 'string', contentEncoding: 'base64', minLength: length, maxLength: length };
}

const time = '\\d{2}:\\d{2}:\\d{2}';
const localDateTime = `^([+-]\\d{2})?\\d{4}-\\d{2}-\\d{2}T${time}`;

/** JSON Schema's `time` wants an offset, as its `date-time` does: what has none is told by a pattern. */
function temporalShape(logical: Logical | null): JsonShape | null {
  switch (logical?.name) {
    case 'date':
      return { type: 'string', format: 'date' };
    case 'timestamp-millis':
    case 'timestamp-micros':
      return { type: 'string', format: 'date-time' };
    case 'time-millis':
      return { type: 'string', pattern: `^${time}\\.\\d{3}$` };
    case 'time-micros':
      return { type: 'string', pattern: `^${time}\\.\\d{6}$` };
    case 'local-timestamp-millis':
      return { type: 'string', pattern: `${localDateTime}\\.\\d{3}$` };
    case 'local-timestamp-micros':
      return { type: 'string', pattern: `${localDateTime}\\.\\d{6}$` };
    default:
      return null;
  }
}
