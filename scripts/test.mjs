/** Runs the tests by tier and adds up what they did; the last line is the sum. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from './build.mjs';
import { runChecks } from './check.mjs';
import { fromBin, root, run, stopped } from './process.mjs';
import { closingLines, sum } from './test-sum.mjs';

/** Tiers that share a Vitest process also share the embedded runtime, which takes seconds to start. */
const RUNS = [['unit'], ['int', 'e2e']];

/** `test`: static checks, then all tiers. `test <tier> [arguments for Vitest]`: that tier. Resolves to the exit code. */
export async function test([tier, ...args]) {
  const results = [];
  if (tier === undefined) results.push({ ...(await runChecks()), skipped: [] });
  // Unit and integration tests run from the sources. The others start dist/: when it cannot be built the run has
  // failed already, and what they say is about the build before.
  const needsBuild = tier === undefined || !['unit', 'int'].includes(tier);
  if (needsBuild && (await build()) !== 0) results.push({ passed: 0, failed: 1, skipped: [] });
  for (const tiers of tier === undefined ? RUNS : [[tier]]) {
    if (!stopped()) results.push(await runVitest(tiers, args));
  }
  if (stopped()) results.push({ passed: 0, failed: 1, skipped: [] });
  const total = sum(results);
  for (const line of closingLines(total)) console.log(line);
  return total.failed === 0 ? 0 : 1;
}

async function runVitest(tiers, args) {
  console.log(`\nTests: ${tiers.join(', ')}`);
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-results-'));
  const file = join(folder, 'counts.json');
  try {
    const projects = tiers.flatMap((tier) => ['--project', tier]);
    const reporters = ['--reporter=default', `--reporter=${join(root, 'scripts', 'count-reporter.mjs')}`];
    const vitest = ['run', '--passWithNoTests', ...projects, ...reporters, ...args];
    const code = await run(fromBin('vitest'), vitest, { env: { POSTHORN_COUNTS_FILE: file } });
    const counts = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { passed: 0, failed: 0, skipped: [] };
    // A crash, an error between tests, a process that hangs at the end: no test failed, yet the run did.
    return code !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
