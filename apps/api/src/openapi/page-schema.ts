import type { JsonSchema } from './json-schema.js';
import { escaped, text } from './page-text.js';

type Schemas = Readonly<Record<string, JsonSchema>>;
interface Shape {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly format?: string;
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly JsonSchema[];
  readonly items?: JsonSchema;
  readonly properties?: Schemas;
  readonly required?: readonly string[];
}

const deepest = 4;

/** The fields of a schema as nested lists. */
export function schemaList(schema: JsonSchema, schemas: Schemas, depth = 0): string {
  const shape = resolved(schema, schemas);
  const branches = (shape.anyOf ?? []).filter((one) => resolved(one, schemas).type !== 'null');
  if (branches.length > 0) return branches.map((one) => schemaList(one, schemas, depth)).join('');
  if (shape.items !== undefined) return schemaList(shape.items, schemas, depth);
  const fields = Object.entries(shape.properties ?? {});
  if (fields.length === 0 || depth === deepest) return '';
  const rows = fields.map(([name, field]) => {
    const one = resolved(field, schemas);
    const required = shape.required?.includes(name) === true ? '' : ', optional';
    return `<li><code>${escaped(name)}</code> <span class="type">${escaped(typeOf(field, schemas))}${required}</span> ${text(one.description ?? '')}${schemaList(field, schemas, depth + 1)}</li>`;
  });
  return `<ul class="schema">${rows.join('')}</ul>`;
}

/** In few words. */
function typeOf(schema: JsonSchema, schemas: Schemas): string {
  const shape = resolved(schema, schemas);
  if (shape.anyOf !== undefined) return [...new Set(shape.anyOf.map((one) => typeOf(one, schemas)))].join(' or ');
  if ('const' in shape) return JSON.stringify(shape.const);
  if (shape.enum !== undefined) return shape.enum.map((value) => JSON.stringify(value)).join(', ');
  if (shape.type === 'array') return `list of ${typeOf(shape.items ?? {}, schemas)}`;
  const types = [shape.type ?? 'any'].flat();
  return types.map((one) => (one === 'string' ? (shape.format ?? one) : one)).join(' or ');
}

function resolved(schema: JsonSchema, schemas: Schemas): Shape {
  const { $ref } = schema as Shape;
  return $ref === undefined ? (schema as Shape) : ((schemas[$ref.split('/').at(-1) ?? ''] ?? {}) as Shape);
}
