/** What `schemas apply` would do in a registry. */
import { parseAvroSchema, type EventFolder, type Registry, type VersionFile } from '#libs/schema-codec';
import { faultTexts } from './schema-changes.js';

export interface Registration {
  readonly lines: readonly string[];
  readonly faults: readonly string[];
}

type Versions = Pick<Registry, 'versions' | 'version' | 'idOf'>;

/** Rejects with `RegistryUnavailable`. */
export async function registrationOf(registry: Versions, types: EventFolder['types']): Promise<Registration> {
  const [lines, faults]: [string[], string[]] = [[], []];
  for (const [type, files] of types) {
    const registered = await registeredVersions(registry, type);
    const found = await Promise.all(files.map(({ schema }) => registry.idOf(type, schema)));
    const numberOf = (index: number): number | undefined => registered.find(({ id }) => id === found[index])?.version;
    const absent = files.filter((_, index) => numberOf(index) === undefined);
    for (const [index, { version, path }] of files.entries()) {
      const number = numberOf(index);
      if (number !== undefined && number !== version)
        lines.push(
          `warning: ${path} is version ${version}, but number ${number} in the registry, which is what endpoints are pinned to`,
        );
    }
    const inFiles = new Set(found);
    for (const { id, version } of registered)
      if (!inFiles.has(id)) lines.push(`warning: version ${version} of ${type} in the registry is in no file`);
    for (const file of absent) {
      const refusals = registered.flatMap((one) =>
        faultTexts(`${type}: ${file.path} and the registry's version ${one.version}`, file, one),
      );
      faults.push(...refusals);
      lines.push(`${type}: ${file.path} ${verdict(refusals.length, file, files, absent)}`);
    }
  }
  return { lines, faults };
}

/** As in applySchemas: older ones than the last that is registered are left out. */
function verdict(
  refusals: number,
  file: VersionFile,
  files: readonly VersionFile[],
  absent: readonly VersionFile[],
): string {
  if (refusals > 0) return 'would be refused';
  const later = files.slice(file.version).some((one) => !absent.includes(one));
  return later ? 'would be left out, since a later version is registered' : 'would be registered';
}

async function registeredVersions(
  registry: Versions,
  type: string,
): Promise<{ readonly id: number; readonly version: number; readonly node: VersionFile['node'] }[]> {
  const numbers = (await registry.versions(type)) ?? [];
  const found = await Promise.all(numbers.map((number) => registry.version(type, number)));
  return found
    .filter((one) => one !== null)
    .map(({ id, version, schema }) => ({ id, version, node: parseAvroSchema(JSON.parse(schema) as object) }));
}
