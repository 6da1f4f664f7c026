import type { AvroField, AvroNode } from './avro-node.js';
import { sameBranch, sameUnit, logicalOf } from './schema-resolution.js';
import { childPath, defaultText, typeText } from './schema-words.js';

export interface Difference {
  /** Of the field, as it is called afterwards; as in `CompatibilityFault`. */
  readonly path: string;
  readonly change:
    'added' | 'removed' | 'type-changed' | 'renamed' | 'default-changed' | 'symbols-changed' | 'doc-changed';
  readonly detail: string;
}

/** What a consumer sees change between two versions, in the order of the schema. Empty: nothing does. */
export function differenceOf(from: AvroNode, to: AvroNode): Difference[] {
  const comparison = new Comparison();
  comparison.compare(from, to, '');
  return comparison.differences;
}

class Comparison {
  readonly differences: Difference[] = [];
  readonly #seen = new Map<AvroNode, Set<AvroNode>>();

  compare(from: AvroNode, to: AvroNode, path: string): void {
    const [before, after] = [branchesOf(from), branchesOf(to)];
    if (!sameTypes(before, after)) this.#note(path, 'type-changed', `${typeText(from)} → ${typeText(to)}`);
    // What stayed may differ further in.
    for (const branch of after) {
      const earlier = counterpart(branch, before);
      if (earlier !== undefined) this.#compareInside(earlier, branch, path);
    }
  }

  #compareInside(from: AvroNode, to: AvroNode, path: string): void {
    if (from.kind === 'array' && to.kind === 'array') this.compare(from.items, to.items, `${path}[]`);
    if (from.kind === 'map' && to.kind === 'map') this.compare(from.values, to.values, `${path}{}`);
    if (!('name' in from && 'name' in to)) return;
    const seen = this.#seen.get(from) ?? new Set();
    if (seen.has(to)) return;
    this.#seen.set(from, seen.add(to));
    if (from.name !== to.name) this.#note(path, 'renamed', `the type ${from.name} → ${to.name}`);
    if (from.doc !== to.doc) this.#note(path, 'doc-changed', to.doc ?? 'no description any more');
    if (from.kind === 'enum' && to.kind === 'enum') this.#compareSymbols(from, to, path);
    if (from.kind === 'record' && to.kind === 'record') this.#compareFields(from.fields, to.fields, path);
  }

  #compareSymbols(from: AvroNode & { kind: 'enum' }, to: AvroNode & { kind: 'enum' }, path: string): void {
    const added = to.symbols.filter((symbol) => !from.symbols.includes(symbol));
    const removed = from.symbols.filter((symbol) => !to.symbols.includes(symbol));
    const parts = [
      ...(added.length === 0 ? [] : [`added ${added.join(', ')}`]),
      ...(removed.length === 0 ? [] : [`removed ${removed.join(', ')}`]),
    ];
    if (parts.length > 0) this.#note(path, 'symbols-changed', parts.join('; '));
    if (from.defaultSymbol !== to.defaultSymbol)
      this.#note(path, 'default-changed', `${from.defaultSymbol ?? 'none'} → ${to.defaultSymbol ?? 'none'}`);
  }

  #compareFields(from: readonly AvroField[], to: readonly AvroField[], path: string): void {
    const left = new Set(from);
    for (const field of to) {
      const at = childPath(path, field.name);
      const before = from.find(({ name }) => name === field.name) ?? aliased(field, from, to);
      if (before === undefined) {
        this.#note(at, 'added', withDefault(field));
        continue;
      }
      left.delete(before);
      if (before.name !== field.name) this.#note(at, 'renamed', `${before.name} → ${field.name}`);
      this.compare(before.node, field.node, at);
      const [earlier, later] = [defaultText(before), defaultText(field)];
      if (earlier !== later) this.#note(at, 'default-changed', `${earlier ?? 'none'} → ${later ?? 'none'}`);
      if (before.doc !== field.doc) this.#note(at, 'doc-changed', field.doc ?? 'no description any more');
    }
    for (const field of left) this.#note(childPath(path, field.name), 'removed', typeText(field.node));
  }

  #note(path: string, change: Difference['change'], detail: string): void {
    this.differences.push({ path, change, detail });
  }
}

/** The field that was called by one of this one's aliases, unless it still stands beside it. */
function aliased(field: AvroField, from: readonly AvroField[], to: readonly AvroField[]): AvroField | undefined {
  return from.find(({ name }) => field.aliases.includes(name) && !to.some((other) => other.name === name));
}

function withDefault(field: AvroField): string {
  const value = defaultText(field);
  return value === null ? typeText(field.node) : `${typeText(field.node)}, default ${value}`;
}

const branchesOf = (node: AvroNode): readonly AvroNode[] => (node.kind === 'union' ? node.branches : [node]);

/** A type that was renamed is the same one where its alias says so. */
const counterpart = (node: AvroNode, before: readonly AvroNode[]): AvroNode | undefined =>
  before.find((other) => sameBranch(other, node));

const sameTypes = (before: readonly AvroNode[], after: readonly AvroNode[]): boolean =>
  before.length === after.length &&
  after.every((node) => {
    const earlier = counterpart(node, before);
    return earlier !== undefined && sameForm(earlier, node);
  });

function sameForm(from: AvroNode, to: AvroNode): boolean {
  if (from.kind === 'fixed' && to.kind === 'fixed' && from.size !== to.size) return false;
  return (logicalOf(from) === null) === (logicalOf(to) === null) && sameUnit(from, to);
}
