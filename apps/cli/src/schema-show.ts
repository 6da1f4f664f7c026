import {
  compatibilityOf,
  differenceOf,
  exampleOf,
  readEventFolder,
  readEventMeta,
  typeText,
  type AvroNode,
  type VersionFile,
} from '#libs/schema-codec';
import { CommandFailed, type Report } from './report.js';
import { differenceText, faultTexts } from './schema-changes.js';

/** What there is to know of an event type, from the files. */
export async function showSchema(folder: string, type: string, report: Report): Promise<void> {
  const versions = await versionsOf(folder, type);
  const meta = (await readEventMeta(folder)).get(type);
  const newest = versions.at(-1);
  if (newest?.node.kind !== 'record') return;
  report(`${type}: ${newest.node.doc ?? 'without a description'}`);
  if (meta !== undefined) report(`owner: ${meta.owner}`);
  if (meta?.status === 'deprecated')
    report(
      `deprecated since ${meta.since ?? 'an unknown day'}${meta.successor === null ? '' : `; use ${meta.successor}`}`,
    );
  report(`versions: ${versions.map(({ version }) => version).join(', ')}; fields of version ${newest.version}:`);
  const width = Math.max(...newest.node.fields.map(({ name }) => name.length));
  for (const { name, node, doc } of newest.node.fields)
    report(`  ${name.padEnd(width)}  ${fieldType(node)}${doc === null ? '' : `: ${doc}`}`);
  const example = meta?.examples.get(newest.version)?.[0] ?? exampleOf(newest.node);
  report(`example: ${JSON.stringify(example, null, 2)}`);
}

const fieldType = (node: AvroNode): string =>
  node.kind === 'enum' ? `${typeText(node)} (${node.symbols.join(', ')})` : typeText(node);

/** How two versions of an event type differ, and whether they can be read as each other. */
export async function diffSchemas(
  folder: string,
  { type, a, b }: { readonly type: string; readonly a: number; readonly b: number },
  report: Report,
): Promise<void> {
  const versions = await versionsOf(folder, type);
  const [from, to] = [versionIn(versions, type, a), versionIn(versions, type, b)];
  const differences = differenceOf(from.node, to.node);
  report(`${type}, version ${a} to ${b}: ${differences.length === 0 ? 'no difference' : ''}`.trim());
  for (const difference of differences) report(differenceText(difference));
  const [newer, older] = a < b ? [to, from] : [from, to];
  if (compatibilityOf(newer.node, older.node).length === 0) report('compatible both ways');
  for (const fault of faultTexts(`version ${newer.version} and ${older.version}`, newer, older)) report(fault);
}

async function versionsOf(folder: string, type: string): Promise<readonly VersionFile[]> {
  const types = await readEventFolder(folder);
  const versions = types.get(type);
  if (versions !== undefined) return versions;
  throw new CommandFailed(`there is no event type ${type} in ${folder}, but ${[...types.keys()].join(', ')}`);
}

function versionIn(versions: readonly VersionFile[], type: string, number: number): VersionFile {
  const version = versions.find((one) => one.version === number);
  if (version !== undefined) return version;
  throw new CommandFailed(`${type} has no version ${number}, but ${versions.map((one) => one.version).join(', ')}`);
}
