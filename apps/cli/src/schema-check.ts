import type { Config } from '#libs/config';
import {
  HttpRegistry,
  parseEventFolder,
  parseEventMeta,
  readFolder,
  type EventFolder,
  type RegistryAddress,
} from '#libs/schema-codec';
import { brokenPins } from './broken-pins.js';
import { withDatabase } from './database.js';
import { CommandFailed, type Report } from './report.js';
import { changesSince, incompatibilities, type Removal } from './schema-changes.js';
import { earlierFiles } from './schema-history.js';
import { registrationOf } from './schema-registration.js';

export interface CheckRequest {
  readonly folder: string;
  /** Commit to compare with. */
  readonly ref?: string;
  readonly registry?: RegistryAddress;
  /** Where endpoints' pins stand. */
  readonly database?: Config;
}

const requestMs = 10_000;

/**
 * Whether the event catalogue may be released as it is: the files themselves, what changed since an earlier commit, and,
 * where they are given, what the registry would say and which endpoints would be left without their version.
 * @throws CommandFailed with every fault; RegistryUnavailable
 */
export async function checkSchemas(request: CheckRequest, report: Report): Promise<void> {
  const files = await readFolder(request.folder);
  const { types, faults: inFiles } = parseEventFolder(files);
  const { faults: inMetas } = parseEventMeta(files, types);
  const versions = [...types.values()].reduce((sum, all) => sum + all.length, 0);
  report(`${types.size} event types, ${versions} versions`);
  const unowned = [...types.keys()].filter((type) => !files.has(`${type}.meta.json`));
  const faults = [
    ...inFiles,
    ...inMetas,
    ...unowned.map((type) => `${type}.meta.json is missing: say who owns ${type}, its status, and an example`),
    ...incompatibilities(types),
  ];
  const earlier = await compareWithEarlier(request, types, report);
  faults.push(...earlier.faults);
  if (request.registry !== undefined) {
    const registration = await registrationOf(new HttpRegistry(request.registry, requestMs), types);
    for (const line of registration.lines) report(line);
    faults.push(...registration.faults);
  }
  if (request.database !== undefined && earlier.removals.length > 0)
    faults.push(...(await withDatabase(request.database, (database) => brokenPins(database, earlier.removals))));
  if (faults.length > 0)
    throw new CommandFailed(
      `${request.folder}: ${faults.length} faults:\n${faults.map((fault) => `  ${fault}`).join('\n')}`,
    );
}

async function compareWithEarlier(
  { folder, ref }: CheckRequest,
  types: EventFolder['types'],
  report: Report,
): Promise<{ readonly faults: readonly string[]; readonly removals: readonly Removal[] }> {
  const earlier = await earlierFiles(folder, ref);
  if (!earlier.found) {
    report(`not compared with an earlier commit: ${earlier.reason}`);
    return { faults: [], removals: [] };
  }
  // Mistakes of an earlier commit are none of this one.
  const before = parseEventFolder(earlier.files);
  const { metas } = parseEventMeta(earlier.files, before.types);
  const changes = changesSince({ ref: earlier.ref, types: before.types, metas }, types);
  report(`compared with ${earlier.ref}: ${changes.lines.length === 0 ? 'nothing new' : ''}`.trim());
  for (const line of changes.lines) report(line);
  return changes;
}
