import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAvroSchema } from './avro-node.js';
import { HttpRegistry } from './http-registry.js';
import { platformSchemas } from './platform-codecs.js';

export interface ApplyOptions {
  readonly registryUrl: string;
  /** Folder with the `*.avsc` of the event catalogue. */
  readonly eventsFolder: string;
  /** Told what is done. */
  readonly log?: (line: string) => void;
  /** Of one request. Default 10,000. */
  readonly timeoutMs?: number;
}

/** The registry refuses a new version, because readers or writers of an earlier one would break. */
class IncompatibleSchema extends Error {
  override readonly name = 'IncompatibleSchema';
  constructor(
    readonly subject: string,
    refusal: string,
  ) {
    super(`the registry refuses the new schema of ${subject}: ${refusal}`);
  }
}

type Compatibility = 'BACKWARD_TRANSITIVE' | 'FULL_TRANSITIVE';

/**
 * Registers the platform's schemas and the event catalogue, subjects being the Avro full names, and sets what changes are
 * allowed (DESIGN §6). May be run as often as you like.
 * @throws IncompatibleSchema, RegistryUnavailable, Error on a file that holds no Avro record
 */
export async function applySchemas(options: ApplyOptions): Promise<void> {
  const registry = new HttpRegistry(options.registryUrl, options.timeoutMs ?? 10_000);
  // All files are read before anything is registered: a fault in one leaves the registry as it is.
  const events = await readEventSchemas(options.eventsFolder);
  for (const [subject, schema] of Object.entries(platformSchemas))
    await applySchema(registry, subject, schema, 'BACKWARD_TRANSITIVE', options.log);
  for (const [subject, schema] of events) await applySchema(registry, subject, schema, 'FULL_TRANSITIVE', options.log);
}

async function applySchema(
  registry: HttpRegistry,
  subject: string,
  schema: object,
  compatibility: Compatibility,
  log: ((line: string) => void) | undefined,
): Promise<void> {
  // Before the new version, so that it is held to the rule; a subject that does not exist yet may have no rule.
  if ((await registry.compatibility(subject)) !== compatibility)
    await registry.setCompatibility(subject, compatibility);
  const known = await registry.idOf(subject, schema);
  const result = known === null ? await registry.register(subject, schema) : { id: known };
  if ('refusal' in result) throw new IncompatibleSchema(subject, result.refusal);
  if (
    (await registry.compatibility(subject)) !== compatibility &&
    !(await registry.setCompatibility(subject, compatibility))
  )
    throw new Error(`the registry does not take the compatibility ${compatibility} for ${subject}`);
  log?.(`schema ${subject}: ${known === null ? 'registered' : 'present'} (id ${result.id})`);
}

/** Event type to schema, by the files of a folder. */
async function readEventSchemas(folder: string): Promise<Map<string, object>> {
  const schemas = new Map<string, object>();
  for (const file of (await readdir(folder)).filter((name) => name.endsWith('.avsc')).sort()) {
    try {
      const schema = JSON.parse(await readFile(join(folder, file), 'utf8')) as object;
      const node = parseAvroSchema(schema);
      if (node.kind !== 'record') throw new Error('not the schema of a record');
      schemas.set(node.name, schema);
    } catch (cause) {
      throw new Error(`${join(folder, file)}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    }
  }
  return schemas;
}
