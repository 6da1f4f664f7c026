/**
 * Avro binary to plain JSON, in one pass: what consumers receive. The mapping (its reverse is json-to-avro.ts):
 *
 * | Avro | JSON |
 * | --- | --- |
 * | union | the value itself, without its type |
 * | int, long, float, double | number; a long beyond ±2^53 and `NaN`, `Infinity`, `-Infinity` as strings |
 * | bytes, fixed | base64 |
 * | enum | its symbol |
 * | decimal | string: `"12.50"` |
 * | timestamp-millis, -micros | `"2026-03-01T12:00:00.000Z"`, six digits for micros |
 * | local-timestamp-… | the same without `Z` |
 * | date, time-millis, time-micros | `"2026-03-01"`, `"12:00:00.000"`, `"12:00:00.000000"` |
 *
 * Compiled once per schema into closures. Bytes come from outside: every length and count is checked against what is
 * left, so that a damaged record costs no more than its size.
 */
import type { JsonValue } from '#libs/core';
import { Cursor, malformed, maxEmptyItems } from './avro-cursor.js';
import type { AvroNode, Logical } from './avro-node.js';
import { unscaledOf, decimalText } from './decimal-text.js';
import { dateText, timestampMicrosText, timestampText, timeText } from './temporal-text.js';

/** Reads one value that reaches from `start` to the end. Throws `CodecError` `malformed`. */
export type JsonReader = (bytes: Buffer, start: number) => JsonValue;

/** Reads one value where the cursor stands. */
export type Read = (cursor: Cursor) => JsonValue;

export function compileReader(node: AvroNode): JsonReader {
  return wholeReader(compileRead(node));
}

/** The parts that resolution (avro-resolution.ts) shares. */
export const compileRead = (node: AvroNode): Read => compile(node, new Map());

export function wholeReader(read: Read): JsonReader {
  return (bytes, start) => {
    const cursor = new Cursor(bytes, start);
    try {
      const value = read(cursor);
      if (cursor.at === bytes.length) return value;
    } catch (error) {
      // Recursive records nest as deep as their writer likes.
      if (error instanceof RangeError) throw malformed('nested too deep');
      throw error;
    }
    throw malformed(`${bytes.length - cursor.at} bytes too many`);
  };
}

function compile(node: AvroNode, records: Map<AvroNode, Read>): Read {
  switch (node.kind) {
    case 'null':
      return () => null;
    case 'boolean':
      return (c) => c.boolean();
    case 'float':
      return (c) => realJson(c.float());
    case 'double':
      return (c) => realJson(c.double());
    case 'int':
    case 'long':
      return compileInteger(node.logical);
    case 'string':
      return (c) => c.text();
    case 'bytes':
      return compileBytes((c) => c.take(c.length()), node.logical);
    case 'fixed': {
      const { size } = node;
      return compileBytes((c) => c.take(size), node.logical);
    }
    case 'enum': {
      const { symbols } = node;
      return (c) => symbols[c.index(symbols.length)] ?? null;
    }
    case 'array':
      return compileArray(compile(node.items, records), takesNoBytes(node.items));
    case 'map':
      return compileMap(compile(node.values, records));
    case 'union': {
      const branches = node.branches.map((branch) => compile(branch, records));
      return (c) => (branches[c.index(branches.length)] ?? unreachable)(c);
    }
    case 'record':
      return compileRecord(node, records);
  }
}

function compileRecord(node: AvroNode & { kind: 'record' }, records: Map<AvroNode, Read>): Read {
  const known = records.get(node);
  if (known !== undefined) return known;
  const names: string[] = [];
  const reads: Read[] = [];
  const read: Read = (c) => {
    const out: Record<string, JsonValue> = {};
    for (let i = 0; i < names.length; i += 1) put(out, names[i] ?? '', (reads[i] ?? unreachable)(c));
    return out;
  };
  records.set(node, read);
  for (const field of node.fields) {
    names.push(field.name);
    reads.push(compile(field.node, records));
  }
  return read;
}

export function compileArray(item: Read, empty: boolean): Read {
  return (c) => {
    const out: JsonValue[] = [];
    for (let count = c.blockCount(empty); count > 0; count = c.blockCount(empty)) {
      if (empty && out.length + count > maxEmptyItems) throw malformed('too many items');
      for (let i = 0; i < count; i += 1) out.push(item(c));
    }
    return out;
  };
}

export function compileMap(value: Read): Read {
  return (c) => {
    const out: Record<string, JsonValue> = {};
    for (let count = c.blockCount(false); count > 0; count = c.blockCount(false))
      for (let i = 0; i < count; i += 1) {
        const key = c.text();
        put(out, key, value(c));
      }
    return out;
  };
}

export function put(out: Record<string, JsonValue>, name: string, value: JsonValue): void {
  // An assignment would set the prototype and lose the value.
  if (name === '__proto__')
    Object.defineProperty(out, name, { value, enumerable: true, configurable: true, writable: true });
  else out[name] = value;
}

function compileInteger(logical: Logical | null): Read {
  switch (logical?.name) {
    case 'date':
      return (c) => inRange(dateText(Number(c.integer())), 'date');
    case 'time-millis':
      return (c) => inRange(timeText(Number(c.integer()) * 1_000, 3), 'time');
    case 'time-micros':
      return (c) => inRange(timeText(Number(c.integer()), 6), 'time');
    case 'timestamp-millis':
      return (c) => inRange(timestampText(Number(c.integer())), 'timestamp');
    case 'timestamp-micros':
      return (c) => inRange(timestampMicrosText(c.integer()), 'timestamp');
    case 'local-timestamp-millis':
      return (c) => inRange(timestampText(Number(c.integer())), 'timestamp').slice(0, -1);
    case 'local-timestamp-micros':
      return (c) => inRange(timestampMicrosText(c.integer()), 'timestamp').slice(0, -1);
    default:
      return (c) => {
        const value = c.integer();
        return typeof value === 'bigint' ? value.toString() : value;
      };
  }
}

function compileBytes(take: (cursor: Cursor) => Buffer, logical: Logical | null): Read {
  if (logical?.name !== 'decimal') return (c) => take(c).toString('base64');
  const { scale } = logical;
  return (c) => decimalText(unscaledOf(take(c)), scale);
}

export const takesNoBytes = (node: AvroNode): boolean => leastBytes(node, new Set()) === 0;

/** Fewest bytes that a value can take; only whether it is 0 matters. */
function leastBytes(node: AvroNode, within: Set<AvroNode>): number {
  if (node.kind === 'null') return 0;
  if (node.kind === 'fixed') return node.size;
  if (node.kind !== 'record' || within.has(node)) return 1;
  within.add(node);
  return node.fields.reduce((sum, field) => sum + leastBytes(field.node, within), 0);
}

export const realJson = (value: number): JsonValue => (Number.isFinite(value) ? value : String(value));

function inRange(text: string | null, what: string): string {
  if (text === null) throw malformed(`a ${what} that no calendar has`);
  return text;
}

export const unreachable: Read = () => {
  throw malformed('unknown branch');
};
