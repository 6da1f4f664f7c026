/** Runs the tests by tier and adds up what they did; the last line is the sum. */
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { build } from './build.mjs';
import { runChecks } from './check.mjs';
import { fromBin, root, run, stopped } from './process.mjs';
import { formOf } from './test-form.mjs';
import { closingLines, sum } from './test-sum.mjs';

/** Tiers that share a Vitest process also share the embedded runtime, which takes seconds to start. */
const RUNS = [['unit'], ['simulation'], ['int', 'fuzz', 'e2e', 'chaos']];

/**
 * `test`: static checks, then all tiers. `test <tier> [arguments for Vitest]`: that tier; with `--full`, `chaos` takes
 * minutes instead of seconds; with `--examples N` and `--seed S`, `fuzz` plays more, and others. Resolves to the exit code.
 */
export async function test([tier, ...given]) {
  const results = [];
  const { args, env, wrong } = formOf(given);
  if (wrong !== undefined) {
    console.error(wrong);
    return 2;
  }
  if (tier === undefined) results.push(await runChecks());
  // Unit, simulation and integration tests run from the sources. The others start dist/: when it cannot be built the run has
  // failed already, and what they say is about the build before.
  const needsBuild = tier === undefined || !['unit', 'simulation', 'int', 'fuzz'].includes(tier);
  if (needsBuild && (await build()) !== 0) results.push({ passed: 0, failed: 1, skipped: [] });
  for (const tiers of tier === undefined ? RUNS : [[tier]]) {
    if (!stopped()) results.push(await runVitest(tiers, args, env));
  }
  if (stopped()) results.push({ passed: 0, failed: 1, skipped: [] });
  const total = sum(results);
  for (const line of closingLines(total)) console.log(line);
  return total.failed === 0 ? 0 : 1;
}

async function runVitest(tiers, args, form) {
  console.log(`\nTests: ${tiers.join(', ')}`);
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-results-'));
  const file = join(folder, 'counts.json');
  try {
    const projects = tiers.flatMap((tier) => ['--project', tier]);
    const reporters = ['--reporter=default', `--reporter=${join(root, 'scripts', 'count-reporter.mjs')}`];
    const vitest = ['run', '--passWithNoTests', ...projects, ...reporters, ...args];
    const env = { ...form, TEST_COUNTS_FILE: file, TMPDIR: folder };
    const code = await run(fromBin('vitest'), vitest, { env });
    const counts = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { passed: 0, failed: 0, skipped: [] };
    // A crash, an error between tests, a process that hangs at the end: no test failed, yet the run did.
    return code !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
  } finally {
    await removeFolder(folder);
  }
}

/** Also what tests have left there: an interrupted run does not clean up, and its services take a moment to end. */
async function removeFolder(folder) {
  for (let tries = 0; existsSync(folder) && tries < 20; tries += 1) {
    if (tries > 0) await sleep(200);
    await rm(folder, { recursive: true, force: true }).catch((error) => {
      if (tries === 19) console.error(`${folder} could not be removed: ${error.message}`);
    });
  }
}
