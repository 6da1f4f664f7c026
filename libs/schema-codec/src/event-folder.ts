/**
 * The event catalogue as files: `<type>.avsc` is the newest version, `versions/<type>/<n>.avsc` the earlier ones from 1,
 * `<type>.meta.json` what is said about the type. Read from a map of paths to texts, so that an earlier commit can be read
 * like the folder that lies there.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { parseAvroSchema, type AvroNode } from './avro-node.js';

/** Texts by path within the folder, with `/`. */
export type FileTexts = ReadonlyMap<string, string>;

export interface VersionFile {
  readonly version: number;
  readonly path: string;
  readonly schema: object;
  readonly node: AvroNode;
}

export interface EventFolder {
  /** By event type: all versions, lowest first; the last one is the newest. */
  readonly types: ReadonlyMap<string, readonly VersionFile[]>;
  /** What is wrong with the files: where, what, and what to do. */
  readonly faults: readonly string[];
}

export async function readFolder(folder: string): Promise<FileTexts> {
  const names = (await readdir(folder, { recursive: true })).filter((name) => /\.(avsc|meta\.json)$/.test(name)).sort();
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
  return new Map(names.map((name, index) => [name.replaceAll(sep, '/'), texts[index] ?? '']));
}

export function parseEventFolder(files: FileTexts): EventFolder {
  const faults: string[] = [];
  const types = new Map<string, readonly VersionFile[]>();
  const earlier = new Map<string, string[]>();
  for (const path of files.keys()) {
    const type = /^versions\/([^/]+)\/[^/]+\.avsc$/.exec(path)?.[1];
    if (type !== undefined) earlier.set(type, [...(earlier.get(type) ?? []), path]);
  }
  for (const [path, text] of files) {
    const type = /^([^/]+)\.avsc$/.exec(path)?.[1];
    if (type === undefined) continue;
    const before = earlierVersions(type, earlier.get(type) ?? [], files, faults);
    earlier.delete(type);
    const newest = parseVersion(type, path, before.length + 1, text, faults);
    const last = before.at(-1);
    if (newest === null) continue;
    if (last !== undefined && sameSchema(last.schema, newest.schema))
      faults.push(`${path} is the same as ${last.path}: an earlier version is kept there only when the newest differs`);
    types.set(type, [...before, newest]);
  }
  for (const type of earlier.keys())
    faults.push(
      `versions/${type}: there is no ${type}.avsc: it holds the newest version, without which there are no earlier ones`,
    );
  return { types, faults };
}

/** The folder's types; every mistake in the files is in the error. */
export async function readEventFolder(folder: string): Promise<EventFolder['types']> {
  const { types, faults } = parseEventFolder(await readFolder(folder));
  if (faults.length > 0) throw new Error(faults.map((fault) => `${folder}: ${fault}`).join('\n'));
  return types;
}

/** Whether two files hold the same version: what a registry would give one id. */
export const sameSchema = (a: object, b: object): boolean => JSON.stringify(a) === JSON.stringify(b);

function earlierVersions(type: string, paths: readonly string[], files: FileTexts, faults: string[]): VersionFile[] {
  const versions: VersionFile[] = [];
  const left = new Set(paths);
  for (let version = 1; left.size > 0; version += 1) {
    const path = `versions/${type}/${version}.avsc`;
    const text = files.get(path);
    if (text === undefined || !left.delete(path)) {
      faults.push(
        `${path} is missing, but there is ${[...left].join(', ')}: versions are numbered from 1, without gaps`,
      );
      break;
    }
    const parsed = parseVersion(type, path, version, text, faults);
    if (parsed !== null) versions.push(parsed);
  }
  return versions;
}

function parseVersion(type: string, path: string, version: number, text: string, faults: string[]): VersionFile | null {
  try {
    const schema = JSON.parse(text) as object;
    const node = parseAvroSchema(schema);
    if (node.kind !== 'record') throw new Error('not the schema of a record');
    if (node.name === type) return { version, path, schema, node };
    faults.push(`${path} holds the record ${node.name}: name and namespace of the record must be those of the file`);
  } catch (error) {
    faults.push(`${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
  return null;
}
