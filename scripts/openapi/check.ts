/**
 * `node --conditions=source --import tsx scripts/openapi/check.ts`: whether the checked-in OpenAPI document breaks clients
 * of the one of the commit before (exit 1, a line for each break).
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { breaks, type OpenApi } from './compatibility.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const path = 'schemas/openapi/posthorn.json';

/** Null: git says no, or there is none. */
function git(...args: readonly string[]): string | null {
  try {
    return execFileSync('git', ['-C', root, ...args], {
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return null;
  }
}

/** The last commit, if the document was changed since; else the one before the last that changed it. */
function earlierCommit(): string | null {
  const changed = git('status', '--porcelain', '--', path);
  if (changed === null) return null;
  if (changed !== '') return git('rev-parse', '--short', 'HEAD');
  const last = git('log', '-1', '--format=%H', '--', path) ?? '';
  return last === '' ? null : git('rev-parse', '--short', '--verify', '--quiet', `${last}^`);
}

const commit = earlierCommit();
const earlier = commit === null ? null : git('show', `${commit}:${path}`);
if (earlier === null) {
  console.log('not compared: no earlier commit has the document, or git does not reach it (git fetch --unshallow)');
} else {
  const faults = breaks(JSON.parse(earlier) as OpenApi, JSON.parse(readFileSync(join(root, path), 'utf8')) as OpenApi);
  console.log(`compared with ${String(commit)}: ${faults.length} breaks`);
  for (const fault of faults) console.error(fault);
  if (faults.length > 0) {
    console.error(
      'Keep what clients rely on: add beside it, deprecate it (`deprecated: true`), remove it in a later release.',
    );
    process.exitCode = 1;
  }
}
