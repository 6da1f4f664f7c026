import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { projectRoot } from '#libs/config';
import { specialRanges } from '#libs/core';

describe('docs/security.md', () => {
  it('lists every special range as the guard has it, and no other', () => {
    const text = readFileSync(join(projectRoot(), 'docs/security.md'), 'utf8');
    const listed = [...text.matchAll(/\| `([\da-f:./]+)` +\| ([^|]+?) +\| (RFC \d+) +(?=\|)/g)].map(
      ([, range, purpose, source]) => [range, purpose, source].join(' '),
    );
    const held = specialRanges.map(({ range, purpose, source }) => [range.text, purpose, source].join(' '));
    expect(listed.toSorted()).toEqual(held.toSorted());
  });
});
