/** The static checks, one after the other, a line for each. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { notDone } from './audit.mjs';
import { capture, fromBin, root, stopped } from './process.mjs';

const SOURCES = ['apps', 'libs', 'examples', 'bench', 'test'];

/** Against themselves and the commit before; it needs no build. */
const schemasCheck = ['--conditions=source', '--import', 'tsx', 'apps/cli/main.ts', 'schemas', 'check', '--offline'];

/** Against the commit before: a client of then must do. */
const apiCheck = ['--conditions=source', '--import', 'tsx', 'scripts/openapi/check.ts'];

const checks = [
  { title: 'types', command: 'tsc', args: () => ['-p', 'tsconfig.json'] },
  { title: 'lint', command: 'oxlint', args: () => ['--type-aware', '--deny-warnings'] },
  { title: 'format', command: 'prettier', args: () => ['--check', '--log-level=warn', '.'] },
  { title: 'import law', command: 'depcruise', args: () => ['--config', '.dependency-cruiser.mjs', ...folders()] },
  { title: 'dead code', command: 'knip', args: () => ['--no-progress'] },
  { title: 'event schemas', command: 'node', args: () => schemasCheck },
  { title: 'clients of the API', command: 'node', args: () => apiCheck },
  { title: 'known vulnerabilities', command: 'node', args: () => ['scripts/audit.mjs'] },
  { title: 'generated files', command: 'node', args: () => ['--conditions=source', 'scripts/gen.mjs', '--check'] },
];

/**
 * Runs them all, also after one has failed: `{ passed, failed, skipped }`. Skipped is, with its reason, what could not be done
 * here and now, and says so by its exit code.
 */
export async function runChecks() {
  const counts = { passed: 0, failed: 0, skipped: [] };
  for (const { title, command, args } of checks) {
    if (stopped()) return { ...counts, failed: counts.failed + 1 };
    const start = performance.now();
    const { code, output } = await capture(fromBin(command), args());
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    if (code === notDone) {
      const reason = output.trim().replaceAll('\n', ' ');
      console.log(`--   ${title}: not checked: ${reason}`);
      counts.skipped.push({ name: `check > ${title}`, reason });
      continue;
    }
    console.log(`${code === 0 ? 'ok  ' : 'FAIL'} ${title} (${seconds} s)`);
    if (code !== 0) console.log(output.trimEnd());
    counts[code === 0 ? 'passed' : 'failed'] += 1;
  }
  return counts;
}

/** Resolves to the exit code. */
export async function check() {
  const { failed } = await runChecks();
  return failed === 0 ? 0 : 1;
}

function folders() {
  return SOURCES.filter((folder) => existsSync(join(root, folder)));
}
