/**
 * Reads what one version wrote as the JSON of another, in one pass over the writer's bytes, with the bounds of
 * avro-to-json.ts. Not through avsc's resolver: it believes counts, and fails on longs beyond 2^53; it is the oracle of
 * the property tests instead.
 *
 * Fields that the reader does not know are read and thrown away, so that a damaged record is damaged in every version.
 */
import type { JsonValue } from '#libs/core';
import { malformed, type Cursor } from './avro-cursor.js';
import type { AvroField, AvroNode } from './avro-node.js';
import {
  compileArray,
  compileMap,
  compileRead,
  put,
  realJson,
  takesNoBytes,
  unreachable,
  wholeReader,
  type JsonReader,
  type Read,
} from './avro-to-json.js';
import { SchemaResolution, sourcesOf, type EnumNode, type RecordNode } from './schema-resolution.js';

/** @returns null when the writer's values cannot be read as the reader's (compatibility.ts says why) */
export function compileResolvingReader(writer: AvroNode, reader: AvroNode): JsonReader | null {
  const resolution = new SchemaResolution();
  if (!resolution.reads(writer, reader)) return null;
  return wholeReader(new ResolvingCompiler(resolution).compile(writer, reader));
}

class ResolvingCompiler {
  readonly #records = new Map<AvroNode, Map<AvroNode, Read>>();
  readonly #resolution: SchemaResolution;

  constructor(resolution: SchemaResolution) {
    this.#resolution = resolution;
  }

  /** Of a pair that is known to be readable. */
  compile(writer: AvroNode, reader: AvroNode): Read {
    if (writer.kind === 'union') {
      const branches = writer.branches.map((branch) => this.compile(branch, reader));
      return (c) => (branches[c.index(branches.length)] ?? unreachable)(c);
    }
    if (reader.kind === 'union') {
      const branch = this.#resolution.branchFor(writer, reader);
      return branch === undefined ? unreachable : this.compile(writer, branch);
    }
    if (writer.kind === 'record' && reader.kind === 'record') return this.#record(writer, reader);
    if (writer.kind === 'array' && reader.kind === 'array')
      return compileArray(this.compile(writer.items, reader.items), takesNoBytes(writer.items));
    if (writer.kind === 'map' && reader.kind === 'map') return compileMap(this.compile(writer.values, reader.values));
    if (writer.kind === 'enum' && reader.kind === 'enum') return compileSymbols(writer, reader);
    if (reader.kind === 'float' || reader.kind === 'double') return compileReal(writer, reader.kind);
    // The others are stored alike: int and long, string and bytes.
    return compileRead(reader);
  }

  #record(writer: RecordNode, reader: RecordNode): Read {
    const known = this.#records.get(writer)?.get(reader);
    if (known !== undefined) return known;
    const blanks: { readonly name: string; readonly make: () => JsonValue }[] = [];
    const parts: FieldRead[] = [];
    const read: Read = (c) => {
      const out: Record<string, JsonValue> = {};
      // All members at first, so that they stand in the reader's order.
      for (const { name, make } of blanks) put(out, name, make());
      for (const part of parts) part(c, out);
      return out;
    };
    const readers = this.#records.get(writer) ?? new Map<AvroNode, Read>();
    // Known before its fields are compiled, because they may refer to it.
    this.#records.set(writer, readers.set(reader, read));
    const sources = reader.fields.map((field) => sourcesOf(field, writer)[0]);
    for (const [index, field] of reader.fields.entries())
      blanks.push({ name: field.name, make: sources[index] === undefined ? compileDefault(field) : () => null });
    for (const field of writer.fields)
      parts.push(
        this.#field(
          field,
          reader.fields.filter((_, index) => sources[index] === field),
        ),
      );
    return read;
  }

  /** A field of the writer, which several of the reader may name as their source. */
  #field(source: AvroField, targets: readonly AvroField[]): FieldRead {
    const [first, ...others] = targets.map(({ name, node }) => ({ name, read: this.compile(source.node, node) }));
    if (first === undefined) {
      const skip = compileRead(source.node);
      return (c) => void skip(c);
    }
    const { name, read } = first;
    if (others.length === 0) return (c, out) => put(out, name, read(c));
    return (c, out) => {
      const from = c.at;
      put(out, name, read(c));
      for (const other of others) {
        c.reread(from);
        put(out, other.name, other.read(c));
      }
    };
  }
}

/** Reads a field of the writer into the reader's record. */
type FieldRead = (cursor: Cursor, out: Record<string, JsonValue>) => void;

function compileDefault({ node, defaultBytes }: AvroField): () => JsonValue {
  const bytes = defaultBytes ?? Buffer.alloc(0);
  const read = wholeReader(compileRead(node));
  const value = read(bytes, 0);
  // What can be changed is made anew: two events must not share it.
  return typeof value === 'object' && value !== null ? () => read(bytes, 0) : () => value;
}

function compileSymbols(writer: EnumNode, reader: EnumNode): Read {
  const symbols = writer.symbols.map((symbol) => (reader.symbols.includes(symbol) ? symbol : reader.defaultSymbol));
  return (c) => symbols[c.index(symbols.length)] ?? null;
}

function compileReal(writer: AvroNode, kind: 'float' | 'double'): Read {
  switch (writer.kind) {
    case 'double':
      return (c) => realJson(c.double());
    case 'float':
      return (c) => realJson(c.float());
    case 'int':
    case 'long':
      return kind === 'double' ? (c) => Number(c.integer()) : (c) => Math.fround(Number(c.integer()));
    default:
      throw malformed(`no ${kind} is made of ${writer.kind}`);
  }
}
