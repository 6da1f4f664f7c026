import type { JsonSchema } from './json-schema.js';

/** A value that fits a schema, as far as it can be told: put together from the examples of its parts. */
export function exampleOf(schema: JsonSchema, components: Readonly<Record<string, JsonSchema>>): unknown {
  const { $ref, examples, const: constant, enum: values, anyOf, oneOf, allOf } = schema as Keywords;
  if ($ref !== undefined) return exampleOf(components[$ref.split('/').at(-1) ?? ''] ?? {}, components);
  if (examples !== undefined) return examples[0];
  if ('const' in schema) return constant;
  if ('default' in schema) return schema['default'];
  if (values !== undefined) return values[0];
  const one = (anyOf ?? oneOf)?.[0];
  if (one !== undefined) return exampleOf(one, components);
  if (allOf !== undefined)
    return Object.assign({}, ...allOf.map((part) => exampleOf(part, components))) as Record<string, unknown>;
  return exampleOfType(schema as Keywords, components);
}

interface Keywords {
  readonly $ref?: string;
  readonly examples?: readonly unknown[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
  readonly type?: string | readonly string[];
  readonly format?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly minimum?: number;
}

function exampleOfType(schema: Keywords, components: Readonly<Record<string, JsonSchema>>): unknown {
  switch ([schema.type].flat()[0]) {
    case 'object':
      return Object.fromEntries(
        Object.entries(schema.properties ?? {}).map(([name, field]) => [name, exampleOf(field, components)]),
      );
    case 'array':
      return schema.items === undefined ? [] : [exampleOf(schema.items, components)];
    case 'string':
      return schema.format === 'date-time' ? '2026-11-23T19:30:00.000Z' : 'text';
    case 'integer':
    case 'number':
      return Math.max(schema.minimum ?? 0, 0);
    case 'boolean':
      return false;
    default:
      return null;
  }
}
