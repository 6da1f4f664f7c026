/** What changed between two states of the event catalogue, and what of it is not allowed. */
import {
  compatibilityOf,
  differenceOf,
  sameSchema,
  type CompatibilityFault,
  type Difference,
  type EventFolder,
  type EventMeta,
  type VersionFile,
} from '#libs/schema-codec';

/** What was there and is no more; `version` null: the whole type. */
export interface Removal {
  readonly type: string;
  readonly version: number | null;
}

export interface Changes {
  readonly lines: readonly string[];
  readonly faults: readonly string[];
  readonly removals: readonly Removal[];
}

type Types = EventFolder['types'];

interface Earlier {
  readonly ref: string;
  readonly types: Types;
  readonly metas: ReadonlyMap<string, EventMeta>;
}

/** Against an earlier commit: what was released stays as it is, under its number. */
export function changesSince({ ref, types: before, metas }: Earlier, now: Types): Changes {
  const [lines, faults, removals]: [string[], string[], Removal[]] = [[], [], []];
  for (const [type, versions] of before) {
    const present = now.get(type);
    if (present === undefined) {
      removals.push({ type, version: null });
      lines.push(`${type}: removed`);
      if (metas.get(type)?.status !== 'deprecated')
        faults.push(
          `${type} was removed, but not deprecated before: put it back (git checkout ${ref} -- ${type}.avsc), set "status": "deprecated" in ${type}.meta.json, and remove it in a later release`,
        );
      continue;
    }
    const gone = versions.flatMap((version) => faultOfVersion(version, versions, present, ref));
    faults.push(...gone.map(({ fault }) => fault));
    removals.push(...gone.flatMap(({ removed }) => (removed === null ? [] : [{ type, version: removed }])));
    lines.push(...newVersions(type, versions, present));
  }
  for (const [type, versions] of now)
    if (!before.has(type))
      lines.push(`${type}: new, with ${versions.length === 1 ? 'version 1' : `versions 1 to ${versions.length}`}`);
  return { lines, faults, removals };
}

/** All pairs of a folder's versions: FULL_TRANSITIVE, as the registry holds them to it. */
export function incompatibilities(types: Types): string[] {
  return [...types].flatMap(([type, versions]) =>
    versions.flatMap((newer, at) =>
      versions
        .slice(0, at)
        .flatMap((older) => faultTexts(`${type}: version ${newer.version} and ${older.version}`, newer, older)),
    ),
  );
}

export const faultTexts = (
  which: string,
  newer: Pick<VersionFile, 'node'>,
  older: Pick<VersionFile, 'node'>,
): string[] => compatibilityOf(newer.node, older.node).map((fault) => faultText(which, fault));

const faultText = (which: string, { path, direction, detail }: CompatibilityFault): string =>
  `${which} are not compatible (${direction}): ${path === '' ? 'the record' : path}: ${detail}`;

export const differenceText = ({ path, change, detail }: Difference): string =>
  `  ${change.padEnd(15)} ${path === '' ? '(the record)' : path}: ${detail}`;

/** A version that was released before must be there, as it was. */
function faultOfVersion(
  { version, path, schema }: VersionFile,
  before: readonly VersionFile[],
  now: readonly VersionFile[],
  ref: string,
): { readonly fault: string; readonly removed: number | null }[] {
  const present = now.find((one) => one.version === version);
  if (present !== undefined && sameSchema(present.schema, schema)) return [];
  const elsewhere = now.find((one) => sameSchema(one.schema, schema));
  if (elsewhere !== undefined)
    return [
      {
        fault: `${elsewhere.path} is version ${elsewhere.version} now, but was version ${version} in ${ref}: endpoints are pinned to numbers, which never change`,
        removed: null,
      },
    ];
  if (version < before.length) {
    const what = now.some((one) => one.path === path) ? 'changed' : 'removed';
    const fault = `${path} was ${what}: data lies in the log that was written with it: put it back (git checkout ${ref} -- ${path})`;
    return [{ fault, removed: version }];
  }
  const kept = path.replace(/^(.+)\.avsc$/, `versions/$1/${version}.avsc`);
  const fault = `${path} changed, but version ${version}, which it was in ${ref}, was not kept: git show ${ref}:./${path} > ${kept}`;
  return [{ fault, removed: version }];
}

function newVersions(type: string, before: readonly VersionFile[], now: readonly VersionFile[]): string[] {
  return now.slice(before.length).flatMap((version, index) => {
    const older = now[before.length + index - 1];
    const differences = older === undefined ? [] : differenceOf(older.node, version.node);
    return [`${type}: version ${version.version} is new`, ...differences.map(differenceText)];
  });
}
