/** Installs the dependencies when they are missing or are not those of package-lock.json. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromBin, root } from './process.mjs';

const patches = join(root, 'patches');
const patchMark = join(root, 'node_modules', '.posthorn-patches');

/** Resolves to an exit code. `run` is that of process.mjs. */
export async function install(run) {
  const lock = readJson(join(root, 'package-lock.json'));
  const installed = readJson(join(root, 'node_modules', '.package-lock.json'));
  const patched = patchesHash();
  const before = existsSync(patchMark) ? readFileSync(patchMark, 'utf8') : undefined;
  const why =
    lockMismatch(lock, installed) ?? (before !== undefined && before !== patched ? 'a patch changed' : undefined);
  if (why !== undefined) {
    console.log(`Installing dependencies (${why}) ...`);
    // Not `npm ci`: it refuses a lock file without the optional packages of other platforms, and some registries have
    // only those of a few platforms. With --no-save the versions are the lock file's, and it is not written.
    const code = await run('npm', ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error']);
    if (code !== 0) return code;
  }
  if (patched === '' || (why === undefined && before === patched)) return 0;
  const code = await run(fromBin('patch-package'), ['--error-on-fail']);
  if (code === 0) writeFileSync(patchMark, patched);
  return code;
}

/**
 * Why what is installed (npm's own record in node_modules) is not what the lock file names, in a few words; undefined
 * when it is. Optional packages of other platforms may be missing; packages beyond the lock file do no harm.
 */
export function lockMismatch(lock, installed) {
  if (installed === undefined) return 'the first time';
  for (const [path, wanted] of Object.entries(lock?.packages ?? {})) {
    if (path === '' || wanted.link === true) continue;
    const found = installed.packages?.[path];
    const name = path.replace(/^.*node_modules\//, '');
    if (found === undefined) {
      if (wanted.optional === true || wanted.devOptional === true || wanted.peer === true) continue;
      return `${name} is missing`;
    }
    if (found.version !== wanted.version) return `${name} ${found.version} instead of ${wanted.version}`;
  }
  return undefined;
}

function patchesHash() {
  if (!existsSync(patches)) return '';
  const files = readdirSync(patches).filter((name) => name.endsWith('.patch'));
  if (files.length === 0) return '';
  const hash = createHash('sha256');
  for (const name of files.sort()) hash.update(name).update(readFileSync(join(patches, name)));
  return hash.digest('hex');
}

function readJson(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
}
