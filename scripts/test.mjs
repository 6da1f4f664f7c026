/** Runs the tests by tier and adds up what they did; the last line is the sum. */
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { build } from './build.mjs';
import { runChecks } from './check.mjs';
import { capture, fromBin, root, run, stopped } from './process.mjs';
import { formOf } from './test-form.mjs';
import { closingLines, sum } from './test-sum.mjs';

/**
 * Tiers that share a Vitest process also share the embedded runtime, which takes seconds to start. The integration tests
 * mostly wait for services, the static checks, unit tests and simulation for the processor: they run side by side. What
 * starts whole deployments comes after, alone, since it keeps to times.
 */
const BESIDE = [['int'], ['cluster', 'fuzz']];
const FIRST = [['unit'], ['simulation']];
const LAST = ['e2e', 'chaos'];

/**
 * `test`: static checks, then all tiers. `test <tier> [arguments for Vitest]`: that tier; with `--full`, `chaos` takes
 * minutes instead of seconds; with `--examples N` and `--seed S`, `fuzz` plays more, and others. Resolves to the exit code.
 */
export async function test([tier, ...given]) {
  const { args, env, wrong } = formOf(given);
  if (wrong !== undefined) {
    console.error(wrong);
    return 2;
  }
  const results = tier === undefined ? await allTiers(args, env) : await oneTier(tier, args, env);
  if (stopped()) results.push({ passed: 0, failed: 1, skipped: [] });
  const total = sum(results);
  for (const line of closingLines(total)) console.log(line);
  return total.failed === 0 ? 0 : 1;
}

async function allTiers(args, form) {
  const beside = BESIDE.map((tiers) => runVitest(tiers, args, form, capture));
  const results = [await runChecks()];
  for (const tiers of FIRST) if (!stopped()) results.push(await runVitest(tiers, args, form));
  for (const { output, ...counts } of await Promise.all(beside)) {
    process.stdout.write(output);
    results.push(counts);
  }
  results.push(...(await built()));
  if (!stopped()) results.push(await runVitest(LAST, args, form));
  return results;
}

async function oneTier(tier, args, form) {
  const results = LAST.includes(tier) ? await built() : [];
  // To whom runs one tier, these are one.
  if (!stopped()) results.push(await runVitest(tier === 'int' ? ['int', 'cluster'] : [tier], args, form));
  return results;
}

/** Nothing, or one failure: the tiers that start dist/ then speak of the build before. */
async function built() {
  return (await build()) === 0 ? [] : [{ passed: 0, failed: 1, skipped: [] }];
}

/** The counts of a run, and with `capture` what it printed, as `output`, which then is to be printed. */
async function runVitest(tiers, args, form, how = run) {
  console.log(`\nTests: ${tiers.join(', ')}${how === capture ? ' (beside what follows, which comes out first)' : ''}`);
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-results-'));
  const file = join(folder, 'counts.json');
  try {
    const projects = tiers.flatMap((tier) => ['--project', tier]);
    const reporters = ['--reporter=default', `--reporter=${join(root, 'scripts', 'count-reporter.mjs')}`];
    const vitest = ['run', '--passWithNoTests', ...projects, ...reporters, ...args];
    const env = { ...form, TEST_COUNTS_FILE: file, TMPDIR: folder };
    const ended = await how(fromBin('vitest'), vitest, { env });
    const { code, output } = how === capture ? ended : { code: ended, output: '' };
    const counts = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { passed: 0, failed: 0, skipped: [] };
    // A crash, an error between tests, a process that hangs at the end: no test failed, yet the run did.
    const failed = code !== 0 && counts.failed === 0 ? 1 : counts.failed;
    return { ...counts, failed, output };
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
