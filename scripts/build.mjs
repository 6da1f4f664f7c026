/** Compiles to dist/ when a source has changed since the last time. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fromBin, root, run } from './process.mjs';

const SOURCES = ['apps', 'libs', 'examples', 'bench'];
const SETTINGS = ['tsconfig.json', 'tsconfig.build.json', 'package.json', 'package-lock.json'];
const dist = join(root, 'dist');
const stampFile = join(dist, '.stamp');

/** Resolves to the exit code of the compiler; 0 at once when all is up to date. */
export async function build() {
  const sources = SOURCES.flatMap((folder) => filesUnder(join(root, folder))).filter((path) => path.endsWith('.ts'));
  const stamp = stampOf([...sources, ...SETTINGS].filter((path) => existsSync(join(root, path))).map(describe));
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return 0;
  console.log('Building ...');
  rmSync(stampFile, { force: true });
  const code = await run(fromBin('tsc'), ['-p', 'tsconfig.build.json']);
  if (code !== 0) return code;
  const outputs = SOURCES.flatMap((folder) => filesUnder(join(dist, folder))).map((path) => path.slice('dist/'.length));
  for (const path of staleOutputs(outputs, sources)) rmSync(join(dist, path));
  mkdirSync(dist, { recursive: true });
  writeFileSync(stampFile, stamp);
  return 0;
}

/** One text for a set of files; another one whenever a file is added, removed or written. */
export function stampOf(files) {
  return files
    .map(({ path, size, mtimeMs }) => `${path} ${size} ${mtimeMs}\n`)
    .sort()
    .join('');
}

/** Those of the compiler's outputs whose source is gone: an import that should fail would still find them. */
export function staleOutputs(outputs, sources) {
  const known = new Set(sources.map((path) => path.replace(/\.ts$/, '')));
  return outputs.filter((path) => /\.js(\.map)?$/.test(path) && !known.has(path.replace(/\.js(\.map)?$/, '')));
}

function describe(path) {
  const { size, mtimeMs } = statSync(join(root, path));
  return { path, size, mtimeMs };
}

/** Paths from the project's root, with slashes. */
function filesUnder(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes(`${sep}node_modules`))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'));
}
