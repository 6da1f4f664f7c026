import { execFileSync } from 'node:child_process';

export interface Earlier {
  readonly commit: string;
  readonly text: string;
}

/**
 * A file as clients of yesterday know it: of the last commit, if it was changed since; else of the one before the last that
 * changed it. Null: no commit that git reaches has it.
 * @param path relative to `root`, which lies in a repository
 */
export function earlier(root: string, path: string): Earlier | null {
  const git = (...args: readonly string[]): string | null => {
    try {
      return execFileSync('git', ['-C', root, ...args], {
        encoding: 'utf8',
        maxBuffer: 64 * 1024 * 1024,
        stdio: ['ignore', 'pipe', 'ignore'],
      }).trim();
    } catch {
      // It says no, or there is no git.
      return null;
    }
  };
  const changed = git('status', '--porcelain', '--', path);
  if (changed === null) return null;
  const last = changed === '' ? (git('log', '-1', '--format=%H', '--', path) ?? '') : '';
  if (changed === '' && last === '') return null;
  const commit = git('rev-parse', '--short', '--verify', '--quiet', changed === '' ? `${last}^` : 'HEAD');
  const text = commit === null ? null : git('show', `${commit}:./${path}`);
  return commit === null || text === null ? null : { commit, text };
}
