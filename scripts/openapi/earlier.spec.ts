import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { earlier } from './earlier.js';

let root = '';
const git = (...args: string[]): string =>
  execFileSync('git', ['-C', root, '-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }).trim();
const write = (text: string, file = 'api.json'): Promise<void> => writeFile(join(root, file), text);
const commit = (): string => {
  git('add', '-A');
  git('commit', '-m', 'x', '--no-verify');
  return git('rev-parse', '--short', 'HEAD');
};

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'posthorn-api-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

describe('the document of yesterday', () => {
  it('is none without a repository, before the first commit, and after it', async () => {
    await write('1');
    expect(earlier(root, 'api.json')).toBeNull();
    git('init', '-q');
    expect(earlier(root, 'api.json')).toBeNull();
    commit();
    expect(earlier(root, 'api.json')).toBeNull();
  });

  it('is that of the last commit while there are changes, and then that of the commit before', async () => {
    git('init', '-q');
    await write('1');
    const first = commit();
    await write('2');
    expect(earlier(root, 'api.json')).toEqual({ commit: first, text: '1' });
    commit();
    expect(earlier(root, 'api.json')).toEqual({ commit: first, text: '1' });
    await write('other', 'other.json');
    commit();
    expect(earlier(root, 'api.json')).toEqual({ commit: first, text: '1' });
  });
});
