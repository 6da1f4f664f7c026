import type { JsonValue } from '#libs/core';
import type { AvroNode, Logical } from './avro-node.js';
import { bytesOf, decimalText, parseDecimal } from './decimal-text.js';

/** What is optional is left out further in: records that refer to each other would make an endless example. */
const maxDepth = 4;

/**
 * A plausible value of a version, as its JSON: the same for the same schema, valid by its shape (`jsonShapeOf`), taken by
 * ingest.
 * @throws Error on a record that contains itself without an end
 */
export function exampleOf(node: AvroNode): JsonValue {
  const example = valueOf(node, '', new Set());
  if (example === undefined) throw new Error('the schema has no finite value: a record contains itself');
  return example;
}

/** @returns undefined where only another round through a record would make a value */
function valueOf(node: AvroNode, name: string, within: ReadonlySet<AvroNode>): JsonValue | undefined {
  switch (node.kind) {
    case 'null':
      return null;
    case 'boolean':
      return true;
    case 'int':
    case 'long':
      return temporal(node.logical) ?? 3;
    case 'float':
    case 'double':
      return 2.5;
    case 'string':
      return node.logical === null ? textFor(name) : '018f2f6e-7c1a-7b2e-9c3d-4e5f6a7b8c9d';
    case 'bytes':
      return decimal(node.logical) ?? Buffer.from('example').toString('base64');
    case 'fixed':
      return decimal(node.logical, node.size) ?? Buffer.alloc(node.size, 'example').toString('base64');
    case 'enum':
      return node.symbols[0];
    case 'array': {
      if (within.size >= maxDepth) return [];
      const item = valueOf(node.items, name.replace(/s$/, ''), within);
      return item === undefined ? [] : [item];
    }
    case 'map': {
      if (within.size >= maxDepth) return {};
      const value = valueOf(node.values, name.replace(/s$/, ''), within);
      return value === undefined ? {} : { example: value };
    }
    case 'union':
      return unionOf(node.branches, name, within);
    case 'record': {
      if (within.has(node)) return undefined;
      const inside = new Set(within).add(node);
      const members: [string, JsonValue][] = [];
      for (const field of node.fields) {
        const value = valueOf(field.node, field.name, inside);
        if (value === undefined) return undefined;
        members.push([field.name, value]);
      }
      return Object.fromEntries(members);
    }
  }
}

/** What says most: not null, where there is something else. */
function unionOf(branches: readonly AvroNode[], name: string, within: ReadonlySet<AvroNode>): JsonValue | undefined {
  const optional = branches.some(({ kind }) => kind === 'null');
  if (optional && within.size >= maxDepth) return null;
  for (const branch of branches) {
    const value = branch.kind === 'null' ? undefined : valueOf(branch, name, within);
    if (value !== undefined) return value;
  }
  return optional ? null : undefined;
}

function textFor(name: string): string {
  const id = /^(.*?)_?id$/i.exec(name);
  if (id !== null) return `${(id[1] === '' ? 'id' : (id[1] ?? 'id')).toLowerCase()}_1`;
  if (/e-?mail$/i.test(name)) return 'ada@example.com';
  if (/name$/i.test(name)) return 'Ada Lovelace';
  if (/title$/i.test(name)) return 'Prepare the launch';
  if (/(url|uri|link)$/i.test(name)) return 'https://example.com/';
  return name === '' ? 'text' : name;
}

/** With as many digits as precision, scale and size allow, up to `12.50`. */
function decimal(logical: Logical | null, size?: number): string | null {
  if (logical?.name !== 'decimal') return null;
  const { precision, scale } = logical;
  const whole = '12'.slice(0, precision - scale) || '0';
  const text = scale === 0 ? whole : `${whole}.${'5'.padEnd(scale, '0')}`;
  const unscaled = parseDecimal(text, precision, scale);
  return typeof unscaled === 'bigint' && bytesOf(unscaled, size) !== null ? text : decimalText(0n, scale);
}

function temporal(logical: Logical | null): string | null {
  switch (logical?.name) {
    case 'date':
      return '2026-03-01';
    case 'time-millis':
      return '12:00:00.000';
    case 'time-micros':
      return '12:00:00.000000';
    case 'timestamp-millis':
      return '2026-03-01T12:00:00.000Z';
    case 'timestamp-micros':
      return '2026-03-01T12:00:00.000000Z';
    case 'local-timestamp-millis':
      return '2026-03-01T12:00:00.000';
    case 'local-timestamp-micros':
      return '2026-03-01T12:00:00.000000';
    default:
      return null;
  }
}
