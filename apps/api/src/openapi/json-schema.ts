import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';

export type JsonSchema = { readonly [keyword: string]: unknown };
type Mutable = Record<string, unknown>;

export interface SchemaOptions {
  /** Answers with a field that is not documented do not fit: for tests. Clients must bear new fields. */
  readonly strict?: boolean;
}

/** Zod schemas as JSON Schema 2020-12. Those that have an `id` become components, which others refer to. */
export class JsonSchemas {
  readonly #components = new Map<string, JsonSchema>();

  constructor(private readonly options: SchemaOptions = {}) {}

  /** By name, in the order of the names. */
  get components(): Record<string, JsonSchema> {
    return Object.fromEntries([...this.#components].toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** What callers send. */
  input(schema: z.ZodType): JsonSchema {
    return this.#schema(schema, 'input');
  }

  /** A query parameter: a number where its text is read as one. */
  parameter(schema: z.ZodType): JsonSchema {
    const read = this.#schema(schema, 'output');
    return read['type'] === 'integer' ? read : this.#schema(schema, 'input');
  }

  /** What callers get. */
  output(schema: z.ZodType): JsonSchema {
    return this.#schema(schema, 'output');
  }

  /** @throws Error when a component of that name says something else */
  add(name: string, schema: JsonSchema): JsonSchema {
    const known = this.#components.get(name);
    if (known !== undefined && !isDeepStrictEqual(known, schema))
      throw new Error(`two schemas have the id ${name}, and are not the same`);
    this.#components.set(name, schema);
    return { $ref: `#/components/schemas/${name}` };
  }

  #schema(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
    const { strict = false } = this.options;
    const made = z.toJSONSchema(schema, {
      io,
      unrepresentable: 'any',
      override: ({ jsonSchema }) => tidy(jsonSchema, io === 'output' && !strict),
    }) as Mutable;
    const { $schema: _, $defs = {}, ...root } = made;
    for (const [name, definition] of Object.entries($defs as Record<string, Mutable>))
      this.add(name, withRefs(withoutId(definition)));
    const id = root['id'] as string | undefined;
    const plain = withRefs(withoutId(root));
    return id === undefined ? plain : this.add(id, plain);
  }
}

function withoutId({ id: _id, ...schema }: Mutable): JsonSchema {
  return schema;
}

/** Zod's references, as they are in an OpenAPI document, and patterns that every validator of clients can read. */
const withRefs = (schema: JsonSchema): JsonSchema =>
  JSON.parse(JSON.stringify(schema).replaceAll('"#/$defs/', '"#/components/schemas/'), (key, value: unknown) =>
    key === 'pattern' && typeof value === 'string' ? portable(value) : value,
  ) as JsonSchema;

/** Classes of Unicode are not known to all; undefined where there is no other way to say it. */
function portable(pattern: string): string | undefined {
  const plain = pattern.replaceAll('\\p{Cc}', '\\u0000-\\u001f\\u007f-\\u009f');
  return plain.includes('\\p{') ? undefined : plain;
}

/** What is right, but not for readers. */
function tidy(schema: z.core.JSONSchema.BaseSchema, isOpen: boolean): void {
  // The format says it; the pattern fills three lines.
  if (schema.format === 'date-time') delete schema.pattern;
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
  // The lookout for new fields is a client's; zod's objects strip them.
  if (isOpen && schema.additionalProperties === false) delete schema.additionalProperties;
  if ('example' in schema) {
    schema.examples = [schema['example']];
    delete schema['example'];
  }
}
