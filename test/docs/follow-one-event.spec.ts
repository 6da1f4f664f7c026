import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { projectRoot } from '#libs/config';

describe('the documents', () => {
  it.each([
    'docs/follow-one-event.md',
    'README.md',
    'CONTRIBUTING.md',
    'docs/receiving.md',
    'docs/security.md',
    'docs/rest-api.md',
    'docs/design.md',
    'docs/benchmarks.md',
    'examples/project-management/README.md',
  ])('%s names only files that exist', (document) => {
    const text = readFileSync(join(projectRoot(), document), 'utf8');
    const named = [
      ...text.matchAll(/`((?:apps|libs|test|schemas|scripts|examples|bench|docs)\/[\w./-]+\.[a-z]+)`/g),
      ...text.matchAll(/\]\((?!https?:|#)([\w./-]+)\)/g),
    ].map((match) => match[1] ?? '');
    const missing = named.filter(
      (path) => !existsSync(join(projectRoot(), path)) && !existsSync(join(projectRoot(), document, '..', path)),
    );
    expect(missing).toEqual([]);
    if (document === 'docs/follow-one-event.md') expect(named.length).toBeGreaterThan(30);
  });
});
