/** Whether two versions can be read as each other, in words for whoever changes a schema. */
import type { AvroField, AvroNode } from './avro-node.js';
import {
  bearsName,
  candidates,
  lostSymbols,
  promotes,
  sameBranch,
  sameUnit,
  SchemaResolution,
  sourcesOf,
  type RecordNode,
} from './schema-resolution.js';
import { childPath, typeText } from './schema-words.js';

export interface CompatibilityFault {
  /** Of the field: `assignee.email`; items of arrays as `changes[]`, values of maps as `attachments{}`; the root is empty. */
  readonly path: string;
  /** `backward`: the newer version cannot read older data; `forward`: the older one cannot read newer data. */
  readonly direction: 'backward' | 'forward';
  /** What is wrong, and what to do instead. */
  readonly detail: string;
}

/** FULL compatibility: every reason why one of the two versions cannot read what the other wrote. Empty: compatible. */
export function compatibilityOf(newer: AvroNode, older: AvroNode): CompatibilityFault[] {
  return [...new Search('backward').faultsOf(older, newer), ...new Search('forward').faultsOf(newer, older)];
}

/** Walks the writer's and the reader's schema side by side, as reading would. */
class Search {
  readonly #direction: CompatibilityFault['direction'];
  readonly #resolution = new SchemaResolution();
  readonly #faults: CompatibilityFault[] = [];
  readonly #seen = new Map<AvroNode, Set<AvroNode>>();

  constructor(direction: CompatibilityFault['direction']) {
    this.#direction = direction;
  }

  faultsOf(writer: AvroNode, reader: AvroNode): CompatibilityFault[] {
    this.#walk(writer, reader, '');
    return this.#faults;
  }

  get #backward(): boolean {
    return this.#direction === 'backward';
  }

  #fault(path: string, backward: string, forward: string): void {
    this.#faults.push({ path, direction: this.#direction, detail: this.#backward ? backward : forward });
  }

  #walk(writer: AvroNode, reader: AvroNode, path: string): void {
    if (writer.kind === 'union') for (const branch of writer.branches) this.#walk(branch, reader, path);
    else if (reader.kind === 'union') {
      const natural = candidates(writer, reader).find((branch) => sameBranch(writer, branch));
      const branch = this.#resolution.branchFor(writer, reader) ?? natural;
      if (branch === undefined) this.#typeFault(writer, reader, path);
      else this.#walk(writer, branch, path);
    } else if (writer.kind === 'record' && reader.kind === 'record') this.#walkRecord(writer, reader, path);
    else if (writer.kind === 'array' && reader.kind === 'array') this.#walk(writer.items, reader.items, `${path}[]`);
    else if (writer.kind === 'map' && reader.kind === 'map') this.#walk(writer.values, reader.values, `${path}{}`);
    else this.#checkLeaf(writer, reader, path);
  }

  #walkRecord(writer: RecordNode, reader: RecordNode, path: string): void {
    const seen = this.#seen.get(writer) ?? new Set();
    if (seen.has(reader)) return;
    this.#seen.set(writer, seen.add(reader));
    if (!bearsName(reader, writer.name)) this.#nameFault(writer, reader, path);
    for (const field of reader.fields) {
      const [source, ...more] = sourcesOf(field, writer);
      const at = childPath(path, field.name);
      if (more.length > 0) this.#ambiguityFault(field, writer, at);
      else if (source !== undefined) this.#walk(source.node, field.node, at);
      else if (field.defaultBytes === null) this.#missingFault(field, writer, at);
    }
  }

  #checkLeaf(writer: AvroNode, reader: AvroNode, path: string): void {
    if ('name' in writer && 'name' in reader && writer.kind === reader.kind && !bearsName(reader, writer.name))
      this.#nameFault(writer, reader, path);
    else if (!sameBranch(writer, reader) && !promotes(writer, reader)) this.#typeFault(writer, reader, path);
    else if (writer.kind === 'enum' && reader.kind === 'enum') this.#checkSymbols(lostSymbols(writer, reader), path);
    else if (writer.kind === 'fixed' && reader.kind === 'fixed' && writer.size !== reader.size)
      this.#typeFault(writer, reader, path);
    else if (!sameUnit(writer, reader)) this.#unitFault(writer, reader, path);
  }

  #checkSymbols(lost: readonly string[], path: string): void {
    if (lost.length === 0) return;
    const symbols = lost.join(', ');
    this.#fault(
      path,
      `the symbols ${symbols} are gone, and older data may hold them: keep them, or give the enum a "default" that stands for them`,
      `the symbols ${symbols} are new, and the older version has no enum default for what it does not know: add a new field instead (and give its enum a "default", so that it can grow)`,
    );
  }

  #missingFault(field: AvroField, writer: RecordNode, path: string): void {
    const renamed = this.#backward ? undefined : writer.fields.find(({ aliases }) => aliases.includes(field.name));
    if (renamed !== undefined)
      this.#fault(
        path,
        '',
        `renamed to ${renamed.name}, which the older version does not know, and it has no default for ${field.name}: keep ${field.name}, and add ${renamed.name} beside it with a default`,
      );
    else
      this.#fault(
        path,
        'the field is new and has no default, and older data does not hold it: give it a "default" (such as null, of the type ["null", …])',
        'the field is gone, and the older version has no default for it: keep it, say in its "doc" that it is deprecated, and go on writing it',
      );
  }

  #nameFault(writer: AvroNode & { name: string }, reader: AvroNode & { name: string }, path: string): void {
    this.#fault(
      path,
      `the type ${writer.name} is called ${reader.name} now: add "aliases": ["${writer.name}"] to it, or keep its name`,
      `the type ${reader.name} is called ${writer.name} now, which the older version does not know: keep its name`,
    );
  }

  #typeFault(writer: AvroNode, reader: AvroNode, path: string): void {
    const add = 'keep the type, and add a field of another name for the new one';
    this.#fault(
      path,
      `older data may be ${typeText(writer)} here, which cannot be read as ${typeText(reader)}: ${add}`,
      `new data may be ${typeText(writer)} here, which the older version cannot read as ${typeText(reader)}: ${add}`,
    );
  }

  #unitFault(writer: AvroNode, reader: AvroNode, path: string): void {
    const [before, after] = this.#backward ? [writer, reader] : [reader, writer];
    const detail = `${typeText(before)} became ${typeText(after)}: the same stored number would be read as another value: add a field of another name instead`;
    this.#fault(path, detail, detail);
  }

  #ambiguityFault(field: AvroField, writer: RecordNode, path: string): void {
    const names = sourcesOf(field, writer).map(({ name }) => name);
    const detail = `by its name and aliases it may be read from ${names.join(' and from ')}: leave it one of them`;
    this.#fault(path, detail, detail);
  }
}
