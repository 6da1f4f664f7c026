import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { isAlive } from './process-alive.js';

/** Held while a runtime uses its data folder. */
export interface Lock {
  release(): void;
}

/**
 * Takes `<folder>/lock` for this process. A lock whose process is gone is taken over.
 *
 * @throws Error naming the process that holds it.
 */
export function takeLock(folder: string): Lock {
  const file = join(folder, 'lock');
  for (let tries = 0; tries < 5; tries += 1) {
    const holder = tryTake(file);
    if (holder === undefined) return { release: () => rmSync(file, { force: true }) };
    if (Number.isInteger(holder) && isAlive(holder)) {
      throw new Error(
        `The data folder ${folder} is in use by process ${holder}. Stop that one first (kill ${holder}), ` +
          'or name another folder.',
      );
    }
    rmSync(file, { force: true });
  }
  throw new Error(`The lock ${file} changes hands all the time: another start is going on`);
}

/** The pid in the lock file, or undefined when it is ours now. */
function tryTake(file: string): number | undefined {
  try {
    const handle = openSync(file, 'wx');
    writeSync(handle, String(process.pid));
    closeSync(handle);
    return undefined;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
  try {
    const text = readFileSync(file, 'utf8');
    return text === '' ? Number.NaN : Number(text);
  } catch {
    // Gone between the two looks: the next try will get it.
    return Number.NaN;
  }
}
