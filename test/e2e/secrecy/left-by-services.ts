import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from '../../oracle/secrecy-oracle.js';
import { filesBelow } from './files.js';
import { databasesOf, tablesOf } from './tables.js';

/** Files that begin with zeros by the megabyte and hold offsets alone. */
export const isIndex = (path: string): boolean => /\.(timeindex|index|txnindex)$/.test(path);
/** Where the embedded runtime keeps its own database password: readable by its owner alone. */
export const homesOfThePassword = ['runtime.json', join('registry', 'registry.properties')];

/**
 * Everything in the data folder of the embedded runtime: the segments of all topics, Kafka's metadata log, tables, what was
 * deleted from them and is not overwritten yet, PostgreSQL's write-ahead log, what all three write as their logs. Then every
 * database of the server, decompressed, so the registry's, and those that a test has left.
 */
export async function* leftByServices(folder: string, databaseUrl: string): AsyncGenerator<Readable> {
  yield* filesBelow(folder, 'file', (path) => isIndex(path) || homesOfThePassword.includes(path));
  for (const url of await databasesOf(databaseUrl)) {
    for await (const { place, pieces } of tablesOf(url)) yield { place: `${new URL(url).pathname} ${place}`, pieces };
  }
}

/** The secrets that all files of the tier have written down (secrets-in-use.ts). */
export function secretsOfTier(file: string): ReadonlyMap<string, string> {
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
  const entries = lines.filter((line) => line !== '').map((line) => JSON.parse(line) as [string, string]);
  return new Map(entries.map(([name, secret], n) => [`${name} #${n}`, secret]));
}
