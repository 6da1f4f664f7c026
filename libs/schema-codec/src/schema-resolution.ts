/**
 * How values of one schema (the writer's) are read as another (the reader's): "Schema Resolution" of the Avro
 * specification, as decisions. avro-resolution.ts makes a reader of them, compatibility.ts tells people about them.
 *
 * Stricter than the specification and avsc in one thing: a logical type that changes its unit (millis to micros, the
 * scale of a decimal) cannot be read, since the same number would be another value. And more careful in another: of a
 * reader's union, a branch of the writer's own kind goes before one that it could be promoted to, so that a text of
 * `["bytes", "string"]` stays a text.
 */
import type { AvroField, AvroNode, Logical } from './avro-node.js';

export type RecordNode = AvroNode & { readonly kind: 'record' };
export type EnumNode = AvroNode & { readonly kind: 'enum' };
export type UnionNode = AvroNode & { readonly kind: 'union' };

const promotions: { readonly [writer: string]: readonly AvroNode['kind'][] } = {
  int: ['long', 'float', 'double'],
  long: ['float', 'double'],
  float: ['double'],
  string: ['bytes'],
  bytes: ['string'],
};

/** Whether the reader's name, or an earlier name of it, is the writer's. */
export const bearsName = (
  reader: { readonly name: string; readonly aliases: readonly string[] },
  name: string,
): boolean => reader.name === name || reader.aliases.includes(name);

/** Fields of the writer that a field of the reader may be read from: one, none (its default then), or too many. */
export function sourcesOf(field: AvroField, writer: RecordNode): readonly AvroField[] {
  return writer.fields.filter(({ name }) => bearsName(field, name));
}

/** Symbols that the reader neither knows nor has a default for. */
export function lostSymbols(writer: EnumNode, reader: EnumNode): readonly string[] {
  return reader.defaultSymbol === null ? writer.symbols.filter((symbol) => !reader.symbols.includes(symbol)) : [];
}

export const promotes = (writer: AvroNode, reader: AvroNode): boolean =>
  promotions[writer.kind]?.includes(reader.kind) ?? false;

/** Whether the same stored number means the same under both. Without a logical type it means only itself. */
export function sameUnit(writer: AvroNode, reader: AvroNode): boolean {
  const [from, to] = [logicalOf(writer), logicalOf(reader)];
  if (from === null || to === null) return true;
  if (from.name !== 'decimal' || to.name !== 'decimal') return from.name === to.name;
  return from.scale === to.scale && from.precision === to.precision;
}

export const logicalOf = (node: AvroNode): Logical | null => ('logical' in node ? node.logical : null);

/** Of one kind and, where it has a name, of one name: what a branch is recognised by. */
export function sameBranch(writer: AvroNode, reader: AvroNode): boolean {
  if (writer.kind !== reader.kind) return false;
  return !('name' in writer && 'name' in reader) || bearsName(reader, writer.name);
}

/** The reader's branches, in the order in which the writer's value is to be tried on them. */
export function candidates(writer: AvroNode, reader: UnionNode): readonly AvroNode[] {
  const exact = reader.branches.filter((branch) => sameBranch(writer, branch));
  return [...exact, ...reader.branches.filter((branch) => !exact.includes(branch))];
}

/** Decides between two schemas. Recursive records are taken for readable until something in them is found that is not. */
export class SchemaResolution {
  readonly #unreadable = new Pairs();
  #readable = new Pairs();

  /** Whether every value of the writer can be read as the reader. */
  reads(writer: AvroNode, reader: AvroNode): boolean {
    let result: boolean;
    let before: number;
    do {
      // What was found readable may have counted on a record that turned out not to be: looked at once more.
      before = this.#unreadable.size;
      this.#readable = new Pairs();
      result = this.#reads(writer, reader);
    } while (this.#unreadable.size > before);
    return result;
  }

  /** The reader's branch that takes a writer's value (no union); undefined when none does. */
  branchFor(writer: AvroNode, reader: UnionNode): AvroNode | undefined {
    return candidates(writer, reader).find((branch) => this.reads(writer, branch));
  }

  #reads(writer: AvroNode, reader: AvroNode): boolean {
    if (writer.kind === 'union') return writer.branches.every((branch) => this.#reads(branch, reader));
    if (reader.kind === 'union') return candidates(writer, reader).some((branch) => this.#reads(writer, branch));
    if (writer.kind === 'record' && reader.kind === 'record') return this.#readsRecord(writer, reader);
    if (writer.kind === 'array' && reader.kind === 'array') return this.#reads(writer.items, reader.items);
    if (writer.kind === 'map' && reader.kind === 'map') return this.#reads(writer.values, reader.values);
    if (promotes(writer, reader)) return sameUnit(writer, reader);
    if (!sameBranch(writer, reader)) return false;
    if (writer.kind === 'enum' && reader.kind === 'enum') return lostSymbols(writer, reader).length === 0;
    if (writer.kind === 'fixed' && reader.kind === 'fixed' && writer.size !== reader.size) return false;
    return sameUnit(writer, reader);
  }

  #readsRecord(writer: RecordNode, reader: RecordNode): boolean {
    if (this.#unreadable.has(writer, reader)) return false;
    if (this.#readable.has(writer, reader)) return true;
    this.#readable.add(writer, reader);
    const readable = bearsName(reader, writer.name) && reader.fields.every((field) => this.#readsField(writer, field));
    if (!readable) this.#unreadable.add(writer, reader);
    return readable;
  }

  #readsField(writer: RecordNode, field: AvroField): boolean {
    const [source, ...more] = sourcesOf(field, writer);
    if (source === undefined) return field.defaultBytes !== null;
    return more.length === 0 && this.#reads(source.node, field.node);
  }
}

/** A set of pairs of nodes, by identity. */
class Pairs {
  readonly #byWriter = new Map<AvroNode, Set<AvroNode>>();
  size = 0;

  has(writer: AvroNode, reader: AvroNode): boolean {
    return this.#byWriter.get(writer)?.has(reader) === true;
  }

  add(writer: AvroNode, reader: AvroNode): void {
    const readers = this.#byWriter.get(writer) ?? new Set();
    this.#byWriter.set(writer, readers.add(reader));
    this.size += 1;
  }
}
