import { readEventFolder, type VersionFile } from './event-folder.js';
import { HttpRegistry, type RegistryAddress } from './http-registry.js';
import { platformSchemas } from './platform-codecs.js';

export interface ApplyOptions extends RegistryAddress {
  /** Folder of the event catalogue: event-folder.ts. */
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
 * allowed (DESIGN §6). An event type's versions are registered in the order of their files, so that their numbers are the
 * same in every registry. May be run as often as you like.
 * @throws IncompatibleSchema, RegistryUnavailable, Error on a file that holds no Avro record
 */
export async function applySchemas(options: ApplyOptions): Promise<void> {
  const registry = new HttpRegistry(options, options.timeoutMs ?? 10_000);
  const log = options.log ?? (() => undefined);
  // All files are read before anything is registered: a fault in one leaves the registry as it is.
  const events = await readEventFolder(options.eventsFolder);
  for (const [subject, schema] of Object.entries(platformSchemas)) {
    const { id, known } = await applySchema(registry, subject, schema, 'BACKWARD_TRANSITIVE');
    log(`schema ${subject}: ${known ? 'present' : 'registered'} (id ${id})`);
  }
  for (const [type, versions] of events) await applyVersions(registry, type, versions, log);
}

/** Of an event type. Only what comes after the last version that the registry has: older ones would get higher numbers. */
async function applyVersions(
  registry: HttpRegistry,
  type: string,
  versions: readonly VersionFile[],
  log: (line: string) => void,
): Promise<void> {
  const present = (await registry.versions(type)) ?? [];
  const found = await Promise.all(versions.map(({ schema }) => registry.find(type, schema)));
  const last = found.findLastIndex((one) => one !== null);
  // A subject with versions that no file holds: only the newest can be added to it.
  const from = last >= 0 || present.length === 0 ? last + 1 : versions.length - 1;
  const missing = versions.slice(0, from).filter((_, index) => found[index] === null);
  if (missing.length > 0)
    log(
      `schema ${type}: left out ${missing.map(({ path }) => path).join(', ')}, since later versions are there already: numbers here differ from those of the files`,
    );
  // The newest also when it is there, for its rule.
  for (const { schema, version } of versions.slice(Math.min(from, versions.length - 1))) {
    const { id, known } = await applySchema(registry, type, schema, 'FULL_TRANSITIVE');
    log(`schema ${type}: ${known ? 'present' : 'registered'} (id ${id}, version ${version})`);
  }
}

async function applySchema(
  registry: HttpRegistry,
  subject: string,
  schema: object,
  compatibility: Compatibility,
): Promise<{ readonly id: number; readonly known: boolean }> {
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
  return { id: result.id, known: known !== null };
}
