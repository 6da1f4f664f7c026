/** The event catalogue as it was in an earlier commit. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { FileTexts } from '#libs/schema-codec';
import { CommandFailed } from './report.js';

export type Earlier =
  | { readonly found: true; readonly ref: string; readonly files: FileTexts }
  /** Why there is nothing to compare with. */
  | { readonly found: false; readonly reason: string };

const run = promisify(execFile);

/**
 * The folder's files in a commit. Without a `ref`: in the last commit, if files were changed since; else in the one before
 * the last that changed any.
 * @throws CommandFailed when the given ref is no commit
 */
export async function earlierFiles(folder: string, ref?: string): Promise<Earlier> {
  const git = async (...args: string[]): Promise<string | null> => {
    try {
      return (await run('git', ['-C', folder, ...args], { maxBuffer: 64 * 1024 * 1024 })).stdout;
    } catch {
      // It says no, or there is no git.
      return null;
    }
  };
  const commit = async (name: string): Promise<string | null> =>
    (await git('rev-parse', '--verify', '--quiet', '--short', `${name}^{commit}`))?.trim() ?? null;

  if ((await git('rev-parse', '--is-inside-work-tree')) === null)
    return { found: false, reason: 'it lies in no git repository (or there is no git)' };
  const given = ref === undefined ? null : await commit(ref);
  if (ref !== undefined && given === null) throw new CommandFailed(`git knows no commit ${ref}`);
  const changed = (await git('status', '--porcelain', '--', '.')) !== '';
  const last = (await git('log', '-1', '--format=%H', '--', '.'))?.trim() ?? '';
  if (given === null && last === '') return { found: false, reason: 'no commit holds it yet' };
  const earlier = given ?? (await commit(changed ? 'HEAD' : `${last}^`));
  if (earlier === null) {
    const shallow = (await git('rev-parse', '--is-shallow-repository'))?.trim() === 'true';
    const reason = shallow
      ? 'this clone is shallow and does not reach back to the commit before the last change (git fetch --unshallow)'
      : 'it was added by the first commit';
    return { found: false, reason };
  }
  const names = ((await git('ls-tree', '-r', '--name-only', '-z', earlier, '.')) ?? '').split('\0');
  const files = new Map<string, string>();
  for (const name of names.filter((path) => /\.(avsc|meta\.json)$/.test(path)))
    files.set(name, (await git('show', `${earlier}:./${name}`)) ?? '');
  return { found: true, ref: earlier, files };
}
