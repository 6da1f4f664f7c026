/**
 * Plain JSON to Avro binary: the reverse of avro-to-json.ts, for data that came as JSON. Every fault is listed, with its
 * JSON pointer. Absent members take the schema's default; members that the schema does not know are faults.
 *
 * A union does not say which branch it is: the branches whose JSON kind fits are tried in the schema's order and the
 * first that takes the value wins. So of `["string", "bytes"]` a text is always the string, of `["int", "long"]` a small
 * number always the int; the JSON that comes out again is the same.
 */
import type { JsonValue } from '#libs/core';
import type { AvroField, AvroNode } from './avro-node.js';
import { AvroSink } from './avro-sink.js';
import type { DataFault } from './json-fault.js';
import { compileScalar, type Write } from './json-scalar.js';
import { frameBytes, writeFrame } from './wire-format.js';

/** @returns data in the wire format, or what is wrong with it */
export type AvroWriter = (json: JsonValue, schemaId: number) => Buffer | DataFault[];

type JsonKind = 'null' | 'boolean' | 'number' | 'string' | 'array' | 'object';

/** Encoding is synchronous and not reentrant: one sink serves all. */
const sink = new AvroSink();

export function compileWriter(node: AvroNode): AvroWriter {
  const write = compile(node, new Map());
  return (json, schemaId) => {
    sink.reset(frameBytes);
    try {
      write(json, sink);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return [{ code: 'out-of-range', pointer: '', detail: 'is nested too deep' }];
    }
    if (sink.failures > 0) return sink.faults;
    const bytes = sink.copy();
    writeFrame(bytes, schemaId);
    return bytes;
  };
}

function compile(node: AvroNode, records: Map<AvroNode, Write>): Write {
  switch (node.kind) {
    case 'record':
      return compileRecord(node, records);
    case 'array':
      return compileArray(compile(node.items, records));
    case 'map':
      return compileMap(compile(node.values, records));
    case 'union':
      return compileUnion(node.branches, records);
    default:
      return compileScalar(node);
  }
}

function compileRecord(node: AvroNode & { kind: 'record' }, records: Map<AvroNode, Write>): Write {
  const known = records.get(node);
  if (known !== undefined) return known;
  const fields: (AvroField & { readonly write: Write })[] = [];
  const names = new Set(node.fields.map(({ name }) => name));
  const writeRecord: Write = (json, out) => {
    if (kindOf(json) !== 'object') {
      out.fault('wrong-type', `must be an object (${node.name})`);
      return;
    }
    const members = json as { readonly [name: string]: JsonValue };
    let present = 0;
    for (const { name, write, defaultBytes } of fields) {
      if (Object.hasOwn(members, name)) {
        present += 1;
        out.path.push(name);
        write(members[name] ?? null, out);
        out.path.pop();
      } else if (defaultBytes !== null) out.raw(defaultBytes);
      else at(out, name, () => out.fault('missing-field', 'is required'));
    }
    const given = Object.keys(members);
    if (given.length === present) return;
    for (const name of given)
      if (!names.has(name)) at(out, name, () => out.fault('unknown-field', `is no field of ${node.name}`));
  };
  records.set(node, writeRecord);
  for (const field of node.fields) fields.push({ ...field, write: compile(field.node, records) });
  return writeRecord;
}

function at(out: AvroSink, token: string, note: () => void): void {
  out.path.push(token);
  note();
  out.path.pop();
}

function compileArray(writeItem: Write): Write {
  return (json, out) => {
    if (!Array.isArray(json)) {
      out.fault('wrong-type', 'must be an array');
      return;
    }
    const items = json as readonly JsonValue[];
    if (items.length > 0) out.integer(items.length);
    for (const [index, item] of items.entries()) {
      out.path.push(index);
      writeItem(item, out);
      out.path.pop();
    }
    out.byte(0);
  };
}

function compileMap(writeValue: Write): Write {
  return (json, out) => {
    if (kindOf(json) !== 'object') {
      out.fault('wrong-type', 'must be an object');
      return;
    }
    const members = json as { readonly [name: string]: JsonValue };
    const keys = Object.keys(members);
    if (keys.length > 0) out.integer(keys.length);
    for (const key of keys) {
      out.path.push(key);
      out.text(key);
      writeValue(members[key] ?? null, out);
      out.path.pop();
    }
    out.byte(0);
  };
}

const maxTrials = 10_000;

function compileUnion(nodes: readonly AvroNode[], records: Map<AvroNode, Write>): Write {
  const branches = nodes.map((node, index) => ({ index, write: compile(node, records), kinds: kindsOf(node) }));
  const candidates = new Map<JsonKind, typeof branches>();
  for (const kind of ['null', 'boolean', 'number', 'string', 'array', 'object'] as const)
    candidates.set(
      kind,
      branches.filter(({ kinds }) => kinds.includes(kind)),
    );
  const names = nodes.map(labelOf).join(', ');
  return (json, out) => {
    const fitting = candidates.get(kindOf(json)) ?? [];
    const [only] = fitting;
    if (only === undefined) {
      out.fault('wrong-type', `must be one of: ${names}`);
      return;
    }
    if (fitting.length === 1) {
      out.integer(only.index);
      only.write(json, out);
      return;
    }
    const before = { at: out.at, failures: out.failures, listed: out.faults.length };
    for (const { index, write } of fitting) {
      out.trials += 1;
      if (out.trials > maxTrials) break;
      out.integer(index);
      write(json, out);
      if (out.failures === before.failures) return;
      out.at = before.at;
      out.failures = before.failures;
      out.faults.length = before.listed;
    }
    out.fault('wrong-type', `fits none of: ${names}`);
  };
}

function kindOf(json: JsonValue): JsonKind {
  if (json === null) return 'null';
  if (Array.isArray(json)) return 'array';
  return typeof json as 'boolean' | 'number' | 'string' | 'object';
}

/** JSON kinds that a branch may come as. */
function kindsOf(node: AvroNode): readonly JsonKind[] {
  switch (node.kind) {
    case 'null':
    case 'boolean':
    case 'array':
      return [node.kind];
    case 'int':
      return node.logical === null ? ['number'] : ['string'];
    case 'long':
      return node.logical === null ? ['number', 'string'] : ['string'];
    case 'float':
    case 'double':
      return ['number', 'string'];
    case 'string':
    case 'bytes':
    case 'fixed':
    case 'enum':
      return ['string'];
    case 'map':
    case 'record':
      return ['object'];
    case 'union':
      return node.branches.flatMap(kindsOf);
  }
}

const labelOf = (node: AvroNode): string =>
  'logical' in node && node.logical !== null ? node.logical.name : 'name' in node ? node.name : node.kind;
