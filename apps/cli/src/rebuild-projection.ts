import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CommandFailed } from './report.js';

export interface RebuildRequest {
  /** Rows that are older than the log are left behind. */
  readonly dropOlder?: boolean;
  /** Plan file: the projection moves to this cluster's log. */
  readonly moveTo?: string;
}

/**
 * Rebuilds the projection: the projector's own work, so it is a process of the projector that does it. What it says is
 * said here.
 * @throws CommandFailed when it could not be done; the reason was said
 */
export async function rebuildProjection({ dropOlder = false, moveTo }: RebuildRequest): Promise<void> {
  const main = fileURLToPath(new URL(`../../projector/main${extname(import.meta.url)}`, import.meta.url));
  const args = [...(dropOlder ? ['--drop-older'] : []), ...(moveTo === undefined ? [] : ['--move-to', moveTo])];
  const child = spawn(process.execPath, [...process.execArgv, main, 'rebuild', ...args], { stdio: 'inherit' });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new CommandFailed('the projection was not rebuilt; the one in use is as it was');
}
