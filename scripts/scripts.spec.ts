import { describe, expect, test } from 'vitest';
// @ts-expect-error plain JavaScript: it must start before anything is installed
import { staleOutputs, stampOf } from './build.mjs';
// @ts-expect-error plain JavaScript: it must start before anything is installed
import { lockMismatch } from './install.mjs';
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
