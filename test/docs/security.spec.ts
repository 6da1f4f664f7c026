import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { projectRoot } from '#libs/config';
import { specialRanges } from '#libs/core';

const textOf = (path: string): string => readFileSync(join(projectRoot(), path), 'utf8');
/** `path`, and behind it names of tests, or how they begin: "does so", "and so". */
const evidence = /`((?:[\w.-]+\/)*[\w.-]+\.(?:ts|mjs))`((?:,? "[^"]+")*)/g;

const stride = new Set([
  'spoofing',
  'tampering',
  'repudiation',
  'information disclosure',
  'denial of service',
  'elevation of privilege',
]);

describe('docs/security.md', () => {
  it('names files that are there, and tests that are in them', () => {
    const cells = [...textOf('docs/security.md').matchAll(evidence)];
    const missing = cells.filter(([, path = '']) => !existsSync(join(projectRoot(), path))).map(([, path]) => path);
    expect(missing).toEqual([]);
    const absent = cells.flatMap(([, path = '', names = '']) =>
      [...names.matchAll(/"([^"]+)"/g)].map(([, name = '']) => `${path}: ${name}`).filter((one) => !hasTest(one)),
    );
    expect(absent).toEqual([]);
    expect(cells.length).toBeGreaterThan(100);
  });

  it('has a table of threats for each part, in the words of STRIDE', () => {
    const sections = textOf('docs/security.md').split(/^###? /m);
    const parts = sections.filter((section) => section.includes('| STRIDE ')).map((section) => section.split('\n')[0]);
    expect(parts).toEqual(
      expect.arrayContaining(['Events: ingest over Kafka and REST', 'Worker and sender', 'Supply chain']),
    );
    for (const section of sections.filter((one) => one.includes('| STRIDE '))) {
      const letters = [...section.matchAll(/^\| ([a-z][a-z ]+?) +\|/gm)].map(([, letter]) => letter);
      expect(letters.filter((letter) => !stride.has(letter ?? ''))).toEqual([]);
      expect(letters.length).toBeGreaterThan(1);
    }
  });

  it('lists every special range as the guard has it, and no other', () => {
    const listed = [
      ...textOf('docs/security.md').matchAll(/\| `([\da-f:./]+)` +\| ([^|]+?) +\| (RFC \d+) +(?=\|)/g),
    ].map(([, range, purpose, source]) => [range, purpose, source].join(' '));
    const held = specialRanges.map(({ range, purpose, source }) => [range.text, purpose, source].join(' '));
    expect(listed.toSorted()).toEqual(held.toSorted());
  });
});

describe('the packages', () => {
  it('of the lock file: each has its install scripts listed, as allowed or not, and a hash', () => {
    const { packages } = JSON.parse(textOf('package-lock.json')) as {
      packages: Record<string, { hasInstallScript?: boolean; integrity?: string; link?: boolean }>;
    };
    const { allowScripts } = JSON.parse(textOf('package.json')) as { allowScripts: Record<string, boolean> };
    const others = Object.entries(packages).filter(([path]) => path !== '');
    const running = others.filter(([, { hasInstallScript }]) => hasInstallScript === true);
    const names = running.map(([path]) => path.replace(/^.*node_modules\//, ''));
    expect(names.filter((name) => !(name in allowScripts))).toEqual([]);
    expect(others.filter(([, { integrity, link }]) => integrity === undefined && link !== true)).toEqual([]);
  });
});

it('the environment of a process is read in one place', () => {
  const readers = ['apps', 'libs'].flatMap((folder) =>
    readdirSync(join(projectRoot(), folder), { recursive: true, encoding: 'utf8' })
      .map((path) => join(folder, path))
      .filter((path) => path.endsWith('.ts') && !/[.-]spec\.ts$|\/test\/|\.fixture\.ts$/.test(path))
      .filter((path) => textOf(path).includes('process.env')),
  );
  expect(readers.toSorted()).toEqual(['libs/config/src/effective-settings.ts', 'libs/config/src/load-config.ts']);
});

function hasTest(one: string): boolean {
  const [path = '', name = ''] = one.split(/: (.*)/s);
  return textOf(path).includes(name);
}
