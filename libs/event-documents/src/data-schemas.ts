import type { JsonValue } from '#libs/core';
import { versionKey, type DocumentedType, type JsonObject } from './documented-type.js';

const defsPrefix = '#/$defs/';
export const schemaRef = (key: string): string => `#/components/schemas/${key}`;

/**
 * The shapes of all versions as `components/schemas`, where tools of both specifications look: each under its
 * `versionKey`, and what is in their `$defs` beside them. What several define alike is there once, under its own name;
 * another thing of the same name has that of its version behind.
 */
export function dataSchemas(types: readonly DocumentedType[]): JsonObject {
  const schemas = new Map<string, JsonValue>();
  const texts = new Map<string, string>();
  for (const { type, deprecated, versions } of types)
    for (const { version, shape } of versions.toReversed()) {
      const { $schema: _schema, $id: _id, $defs = {}, ...root } = shape;
      const defs = new Map(Object.entries($defs as JsonObject));
      const owner = versionKey(type, version);
      const keys = new Map<string, string>();
      for (const name of defs.keys()) {
        const text = closure(name, defs);
        const plain = name.replaceAll(/[^A-Za-z0-9._-]/g, '_');
        const key = (texts.get(plain) ?? text) === text ? plain : `${plain}-of-${owner}`;
        keys.set(name, key);
        texts.set(key, text);
      }
      const refs: Refs = { root: owner, keys };
      for (const [name, key] of keys) schemas.set(key, moved(defs.get(name) ?? true, refs));
      const deprecation = deprecated === null ? {} : { deprecated: true };
      schemas.set(owner, { ...(moved(root, refs) as JsonObject), ...deprecation });
    }
  return Object.fromEntries(schemas);
}

interface Refs {
  readonly root: string;
  readonly keys: ReadonlyMap<string, string>;
}

/** The schema with its references leading to where things lie now. */
function moved(value: JsonValue, refs: Refs): JsonValue {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return (value as readonly JsonValue[]).map((one) => moved(one, refs));
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      name,
      name === '$ref' && typeof member === 'string' ? targetOf(member, refs) : moved(member, refs),
    ]),
  );
}

function targetOf(ref: string, { root, keys }: Refs): string {
  if (ref === '#') return schemaRef(root);
  const key = ref.startsWith(defsPrefix) ? keys.get(ref.slice(defsPrefix.length)) : undefined;
  if (key === undefined) throw new Error(`${root} refers to ${ref}, which its shape does not hold`);
  return schemaRef(key);
}

/** A definition with all that it needs, as text: two with the same one are the same thing. */
function closure(name: string, defs: ReadonlyMap<string, JsonValue>): string {
  const needed = new Map<string, string>();
  const visit = (one: string): void => {
    if (needed.has(one)) return;
    const text = JSON.stringify(defs.get(one) ?? null);
    needed.set(one, text);
    for (const [, ref] of text.matchAll(/"\$ref":"#\/\$defs\/([^"]+)"/g)) if (ref !== undefined) visit(ref);
  };
  visit(name);
  return JSON.stringify([...needed]);
}
