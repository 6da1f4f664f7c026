import type { JsonValue } from '../event/cloud-event.js';

/** One step of a JSON Patch (RFC 6902 §4). Paths are JSON Pointers (RFC 6901). */
export type PatchOperation =
  | { readonly op: 'add' | 'replace'; readonly path: string; readonly value: JsonValue }
  | { readonly op: 'remove'; readonly path: string };

/**
 * The steps that make `to` out of `from`, to be applied in order; none if they are equal. Members are compared by name. Of
 * lists, what is alike at the beginning and at the end stays, and between them elements are compared place by place: short
 * and readable where a few were inserted, removed or changed at one place, and never more than linear work.
 */
export function jsonPatch(from: JsonValue, to: JsonValue): readonly PatchOperation[] {
  const steps: PatchOperation[] = [];
  compare(from, to, '', steps);
  return steps;
}

/** Equal as JSON: the order of members does not count. */
export function jsonEqual(a: JsonValue, b: JsonValue): boolean {
  if (a === b) return true;
  if (isList(a)) return isList(b) && a.length === b.length && a.every((one, i) => jsonEqual(one, at(b, i)));
  if (!isObject(a) || !isObject(b)) return false;
  const names = Object.keys(a);
  if (names.length !== Object.keys(b).length) return false;
  return names.every((name) => Object.hasOwn(b, name) && jsonEqual(member(a, name), member(b, name)));
}

function compare(from: JsonValue, to: JsonValue, path: string, steps: PatchOperation[]): void {
  if (isObject(from) && isObject(to)) compareMembers(from, to, path, steps);
  else if (isList(from) && isList(to)) compareElements(from, to, path, steps);
  else if (!jsonEqual(from, to)) steps.push({ op: 'replace', path, value: to });
}

function compareMembers(from: JsonMembers, to: JsonMembers, path: string, steps: PatchOperation[]): void {
  for (const name of Object.keys(from)) {
    const place = `${path}/${escaped(name)}`;
    if (Object.hasOwn(to, name)) compare(member(from, name), member(to, name), place, steps);
    else steps.push({ op: 'remove', path: place });
  }
  for (const name of Object.keys(to)) {
    if (Object.hasOwn(from, name)) continue;
    steps.push({ op: 'add', path: `${path}/${escaped(name)}`, value: member(to, name) });
  }
}

function compareElements(
  from: readonly JsonValue[],
  to: readonly JsonValue[],
  path: string,
  steps: PatchOperation[],
): void {
  const shorter = Math.min(from.length, to.length);
  let start = 0;
  while (start < shorter && jsonEqual(at(from, start), at(to, start))) start += 1;
  let tail = 0;
  while (tail < shorter - start && jsonEqual(at(from, from.length - 1 - tail), at(to, to.length - 1 - tail))) tail += 1;
  const [fromEnd, toEnd] = [from.length - tail, to.length - tail];
  const common = Math.min(fromEnd, toEnd);
  for (let i = start; i < common; i += 1) compare(at(from, i), at(to, i), `${path}/${i}`, steps);
  // From the last one down: a removal moves those behind it.
  for (let i = fromEnd - 1; i >= common; i -= 1) steps.push({ op: 'remove', path: `${path}/${i}` });
  for (let i = common; i < toEnd; i += 1) steps.push({ op: 'add', path: `${path}/${i}`, value: at(to, i) });
}

type JsonMembers = { readonly [name: string]: JsonValue };

const isList = (value: JsonValue): value is readonly JsonValue[] => Array.isArray(value);
const isObject = (value: JsonValue): value is JsonMembers =>
  typeof value === 'object' && value !== null && !isList(value);
const at = (list: readonly JsonValue[], index: number): JsonValue => list[index] ?? null;
const member = (object: JsonMembers, name: string): JsonValue => object[name] ?? null;
const escaped = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1');
