import { describe, expect, test } from 'vitest';
// @ts-expect-error plain JavaScript: it must start before anything is installed
import { faultsOf } from './audit.mjs';
// @ts-expect-error plain JavaScript: it must start before anything is installed
import { staleOutputs, stampOf } from './build.mjs';
// @ts-expect-error plain JavaScript: it must start before anything is installed
import { lockMismatch } from './install.mjs';
// @ts-expect-error plain JavaScript: it must start before anything is installed
import { formOf } from './test-form.mjs';
// @ts-expect-error plain JavaScript: it must start before anything is installed
import { closingLines, sum } from './test-sum.mjs';

describe('is a build needed', () => {
  const file = { path: 'libs/a.ts', size: 10, mtimeMs: 1 };

  test('the stamp is the same for the same files, in any order', () => {
    const other = { path: 'libs/b.ts', size: 1, mtimeMs: 2 };
    expect(stampOf([file, other])).toBe(stampOf([other, file]));
  });

  test.each([
    ['written', [{ ...file, mtimeMs: 2 }]],
    ['removed', []],
    ['added', [file, { ...file, path: 'libs/c.ts' }]],
  ])('the stamp differs after a file was %s', (_, files) => {
    expect(stampOf(files)).not.toBe(stampOf([file]));
  });

  test('outputs of removed sources are stale, and nothing else is', () => {
    const outputs = ['libs/a.js', 'libs/a.js.map', 'libs/gone.js', 'libs/gone.js.map', 'libs/data.json'];
    expect(staleOutputs(outputs, ['libs/a.ts'])).toEqual(['libs/gone.js', 'libs/gone.js.map']);
  });
});

describe('are the dependencies installed', () => {
  const lock = {
    packages: {
      '': {},
      'node_modules/a': { version: '1.0.0' },
      'node_modules/mac': { version: '1.0.0', optional: true },
    },
  };

  test('yes, without the optional packages of other platforms', () => {
    expect(lockMismatch(lock, { packages: { 'node_modules/a': { version: '1.0.0' } } })).toBeUndefined();
  });

  test.each([
    ['nothing was installed', undefined, 'the first time'],
    ['one is missing', { packages: {} }, 'a is missing'],
    ['one has another version', { packages: { 'node_modules/a': { version: '2.0.0' } } }, 'a 2.0.0 instead of 1.0.0'],
  ])('no: %s', (_, installed, reason) => {
    expect(lockMismatch(lock, installed)).toBe(reason);
  });
});

describe('the sum of a test run', () => {
  test('adds up the tiers, names what was skipped, and ends with the line that is read', () => {
    const total = sum([
      { passed: 6, failed: 0, skipped: [] },
      { passed: 3, failed: 1, skipped: [{ name: 'a > b', reason: 'needs Docker' }] },
    ]);
    expect(closingLines(total)).toEqual(['', 'Skipped:', '  a > b: needs Docker', '', '9 passed, 1 failed, 1 skipped']);
  });
});

describe('how much is played', () => {
  test('is told by flags of ours; what else there is goes to Vitest', () => {
    expect(formOf(['--full', '--examples', '500', '-t', 'api', '--seed=3'])).toEqual({
      args: ['-t', 'api'],
      env: { TEST_CHAOS_FORM: 'full', TEST_FUZZ_EXAMPLES: '500', TEST_FUZZ_SEED: '3' },
    });
    expect(formOf([])).toEqual({ args: [], env: { TEST_CHAOS_FORM: 'short' } });
  });

  test.each([['--examples'], ['--examples', 'many'], ['--seed=']])('is no guess: %s %s', (...given) => {
    expect(formOf(given)).toEqual({ wrong: expect.stringMatching(/ takes a whole number, not /) });
  });
});

describe('known vulnerabilities', () => {
  const of = (severity: string, id: string) => ({
    name: 'parser',
    range: '<2.0.1',
    severity,
    title: 'Runs what it reads',
    url: `https://github.com/advisories/${id}`,
  });
  const report = (...via: unknown[]) => ({ auditReportVersion: 2, vulnerabilities: { parser: { via } } });
  const exception = {
    advisory: 'GHSA-1',
    package: 'parser',
    reason: 'It reads our own files only.',
    until: '2026-12-31',
  };

  test('are faults from high on, each once', () => {
    const told = [
      of('critical', 'GHSA-1'),
      of('high', 'GHSA-2'),
      of('moderate', 'GHSA-3'),
      of('high', 'GHSA-2'),
      'other',
    ];
    expect(faultsOf(report(...told), [], '2026-11-26')).toEqual([
      'parser <2.0.1: critical: Runs what it reads (https://github.com/advisories/GHSA-1)',
      'parser <2.0.1: high: Runs what it reads (https://github.com/advisories/GHSA-2)',
    ]);
  });

  test('may be excepted until a day, and no longer than there is one', () => {
    const known = report(of('high', 'GHSA-1'));
    expect(faultsOf(known, [exception], '2026-12-31')).toEqual([]);
    expect(faultsOf(known, [exception], '2027-01-01')).toEqual([
      'parser: the exception for GHSA-1 ended on 2026-12-31',
    ]);
    expect(faultsOf(report(), [exception], '2026-11-26')).toEqual(['the exception for GHSA-1 is not needed any more']);
  });

  test.each([[null], [{ message: '405 Method Not Allowed', statusCode: 405 }], [{}]])(
    'are not known where the registry does not tell: %j',
    (answer) => {
      expect(faultsOf(answer, [], '2026-11-26')).toBeNull();
    },
  );
});
