import { accessSync, constants, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { mustRun, runToEnd } from './run-to-end.js';

/** How to run PostgreSQL's programs, which refuse to run as root. */
export interface PostgresUser {
  /** Undefined when we are not root: then we are that user ourselves. */
  readonly ids?: { readonly uid: number; readonly gid: number };
  /** Turns a program call into one by that user. */
  call(command: string, args: readonly string[]): { command: string; args: string[]; uid?: number; gid?: number };
}

/**
 * Ourselves, or, when we are root, the system's user `postgres` (made when missing). Where that user may not enter one
 * of the `folders` (a checkout below /root, or in a temporary folder of root's), its programs keep root's right to do
 * so, through `setpriv`, and nothing else.
 */
export async function postgresUser(folders: readonly string[]): Promise<PostgresUser> {
  if (process.getuid?.() !== 0) return { call: (command, args) => ({ command, args: [...args] }) };
  if ((await runToEnd('id', ['-u', 'postgres'])).code !== 0) {
    await runToEnd('groupadd', ['--system', 'postgres']);
    await mustRun('useradd', ['--system', '-g', 'postgres', '-M', '-s', '/usr/sbin/nologin', 'postgres']);
  }
  const uid = Number(await mustRun('id', ['-u', 'postgres']));
  const gid = Number(await mustRun('id', ['-g', 'postgres']));
  const ids = { uid, gid };
  if (folders.every(othersMayEnter)) return { ids, call: (command, args) => ({ command, args: [...args], uid, gid }) };
  const keep = ['--inh-caps=-all,+dac_override', '--ambient-caps=+dac_override', '--securebits=+no_setuid_fixup'];
  const become = [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', ...keep];
  const probe = await runToEnd('setpriv', [...become, 'true']);
  if (probe.code !== 0) {
    throw new Error(
      `PostgreSQL does not run as root, and the user postgres may not enter ${folders.join(' or ')} (${probe.output.trim()}). ` +
        'Run Posthorn as an ordinary user, move it to a folder that others may enter, or set DATABASE_URL.',
    );
  }
  return { ids, call: (command, args) => ({ command: 'setpriv', args: [...become, command, ...args] }) };
}

function othersMayEnter(folder: string): boolean {
  accessSync(folder, constants.F_OK);
  for (let path = folder; ; path = dirname(path)) {
    if ((statSync(path).mode & 0o001) === 0) return false;
    if (path === dirname(path)) return true;
  }
}
