import { z } from 'zod';
import type { JsonValue } from '#libs/core';
import { parseEventFolder, readFolder, type FileTexts, type VersionFile } from './event-folder.js';
import { EventSchema } from './event-schema.js';

/** What is said about an event type beside its schema: `schemas/events/<type>.meta.json`. */
export interface EventMeta {
  /** Who answers for it. */
  readonly owner: string;
  readonly status: 'active' | 'deprecated';
  /** Day on which it was deprecated, `2026-03-01`. */
  readonly since: string | null;
  /** Event type that takes its place, if any. */
  readonly successor: string | null;
  /** Data by version number. */
  readonly examples: ReadonlyMap<number, readonly JsonValue[]>;
}

const day = z.iso.date();
const common = {
  owner: z.string().min(1),
  examples: z.record(z.string().regex(/^[1-9]\d*$/, 'must be a version number'), z.array(z.json())),
};
const metaSchema = z.discriminatedUnion('status', [
  z.strictObject({ ...common, status: z.literal('active') }),
  z.strictObject({ ...common, status: z.literal('deprecated'), since: day, successor: z.string().nullable() }),
]);

export interface ParsedMeta {
  readonly metas: ReadonlyMap<string, EventMeta>;
  readonly faults: readonly string[];
}

/**
 * What is said about the event types of a folder, by type.
 * @throws Error with every mistake: where, and what is wrong
 */
export async function readEventMeta(folder: string): Promise<ReadonlyMap<string, EventMeta>> {
  const files = await readFolder(folder);
  const { metas, faults } = parseEventMeta(files, parseEventFolder(files).types);
  if (faults.length > 0) throw new Error(faults.map((fault) => `${folder}: ${fault}`).join('\n'));
  return metas;
}

export function parseEventMeta(files: FileTexts, types: ReadonlyMap<string, readonly VersionFile[]>): ParsedMeta {
  const metas = new Map<string, EventMeta>();
  const faults: string[] = [];
  for (const [path, text] of files) {
    const type = /^([^/]+)\.meta\.json$/.exec(path)?.[1];
    if (type === undefined) continue;
    const versions = types.get(type);
    const found = parseMeta(text);
    if (versions === undefined) faults.push(`${path}: there is no ${type}.avsc that it could speak of`);
    else if (Array.isArray(found)) faults.push(...found.map((fault) => `${path}: ${fault}`));
    else {
      metas.set(type, found);
      faults.push(...faultsOf(found, versions, types).map((fault) => `${path}: ${fault}`));
    }
  }
  return { metas, faults };
}

function parseMeta(text: string): EventMeta | string[] {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
  const { data, error } = metaSchema.safeParse(json);
  if (error !== undefined)
    return error.issues.map(({ path, message }) => `${path.map(String).join('.')} ${message}`.trim());
  const examples = new Map(
    Object.entries(data.examples).map(([version, list]) => [Number(version), list as JsonValue[]]),
  );
  const { since = null, successor = null } = data.status === 'deprecated' ? data : {};
  return { owner: data.owner, status: data.status, since, successor, examples };
}

/** Against the schemas: that what it names is there, and that its examples are valid. */
function faultsOf(
  { successor, examples }: EventMeta,
  versions: readonly VersionFile[],
  types: ReadonlyMap<string, unknown>,
): string[] {
  const faults: string[] = [];
  if (successor !== null && !types.has(successor))
    faults.push(`successor ${successor} is no event type of this folder`);
  for (const [number, list] of examples) {
    const version = versions.find((one) => one.version === number);
    if (version === undefined) {
      faults.push(
        `examples.${number}: there is no version ${number}, but ${versions.map((one) => one.version).join(', ')}`,
      );
      continue;
    }
    const schema = new EventSchema(0, JSON.stringify(version.schema));
    for (const [index, data] of list.entries()) {
      const encoded = schema.encode(data);
      if (encoded.ok) continue;
      for (const { pointer, detail } of encoded.faults)
        faults.push(`examples.${number}.${index}${pointer} ${detail} in version ${number}`);
    }
  }
  return faults;
}
