import type { JsonValue } from '#libs/core';

/** RFC 6902, §4. */
export type PatchOperation =
  | { readonly op: 'add' | 'replace'; readonly path: string; readonly value: JsonValue }
  | { readonly op: 'remove'; readonly path: string };

/**
 * What makes `after` out of `before`, as a JSON Patch (RFC 6902). Its length, and what it takes to find it, grow with the two
 * values alone: elements of arrays are compared by their places, so one that is put in at the front changes all of them.
 */
export function jsonPatch(before: JsonValue, after: JsonValue): PatchOperation[] {
  const operations: PatchOperation[] = [];
  compare(before, after, '', operations);
  return operations;
}

function compare(before: JsonValue, after: JsonValue, path: string, operations: PatchOperation[]): void {
  if (Array.isArray(before) && Array.isArray(after)) compareArrays(before, after, path, operations);
  else if (isObject(before) && isObject(after)) compareObjects(before, after, path, operations);
  else if (before !== after) operations.push({ op: 'replace', path, value: after });
}

type JsonObject = Readonly<Record<string, JsonValue>>;

function compareObjects(before: JsonObject, after: JsonObject, path: string, operations: PatchOperation[]): void {
  for (const name of Object.keys(before)) {
    if (!Object.hasOwn(after, name)) operations.push({ op: 'remove', path: `${path}/${escaped(name)}` });
  }
  for (const [name, value] of Object.entries(after)) {
    const there = `${path}/${escaped(name)}`;
    if (Object.hasOwn(before, name)) compare(before[name] ?? null, value, there, operations);
    else operations.push({ op: 'add', path: there, value });
  }
}

function compareArrays(
  before: readonly JsonValue[],
  after: readonly JsonValue[],
  path: string,
  operations: PatchOperation[],
): void {
  // From the end, so that each place is still that of `before`.
  for (let i = before.length - 1; i >= after.length; i -= 1) operations.push({ op: 'remove', path: `${path}/${i}` });
  for (const [i, value] of after.entries()) {
    if (i < before.length) compare(before[i] ?? null, value, `${path}/${i}`, operations);
    else operations.push({ op: 'add', path: `${path}/-`, value });
  }
}

/** RFC 6901, §3. */
const escaped = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1');

const isObject = (value: JsonValue): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
