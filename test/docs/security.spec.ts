import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { projectRoot } from '#libs/config';
import { specialRanges } from '#libs/core';

describe('docs/security.md', () => {
  const text = readFileSync(join(projectRoot(), 'docs/security.md'), 'utf8');

  it('names tests that there are', () => {
    const named = [...text.matchAll(/`([\w./-]+spec\.ts)`/g)].map(([, path = '']) => path);
    expect(named.length).toBeGreaterThan(30);
    expect(named.filter((path) => !existsSync(join(projectRoot(), path)))).toEqual([]);
  });

  it('lists every special range as the guard has it, and no other', () => {
    const listed = [...text.matchAll(/\| `([\da-f:./]+)` +\| ([^|]+?) +\| (RFC \d+) +(?=\|)/g)].map(
      ([, range, purpose, source]) => [range, purpose, source].join(' '),
    );
    const held = specialRanges.map(({ range, purpose, source }) => [range.text, purpose, source].join(' '));
    expect(listed.toSorted()).toEqual(held.toSorted());
  });
});
