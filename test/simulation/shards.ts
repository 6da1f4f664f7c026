import { fork } from 'node:child_process';
import { join } from 'node:path';
import { merged, type Summary } from './play-range.js';

export interface ShardedRun {
  readonly from: number;
  readonly seeds: number;
  readonly shards: number;
  /** Further arguments of main.ts. */
  readonly args?: readonly string[];
}

const root = join(import.meta.dirname, '..', '..');

/** Shares the seeds out among so many processes. The same seeds give the same summary, however many there are. */
export async function playSharded({ from, seeds, shards, args = [] }: ShardedRun): Promise<Summary> {
  const parts = Array.from({ length: Math.min(shards, seeds) }, (_, nth) =>
    playInProcess([
      `--from=${from + nth}`,
      `--seeds=${seeds - nth}`,
      `--step=${Math.min(shards, seeds)}`,
      '--part',
      ...args,
    ]),
  );
  return merged(await Promise.all(parts));
}

function playInProcess(args: readonly string[]): Promise<Summary> {
  const { promise, resolve, reject } = Promise.withResolvers<Summary>();
  const child = fork(join(import.meta.dirname, 'main.ts'), args, {
    cwd: root,
    execArgv: ['--conditions=source', '--import', 'tsx'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  let summary: Summary | null = null;
  child.on('message', (message) => (summary = message as Summary));
  child.on('error', reject);
  child.on('exit', (code) => {
    if (summary !== null && code === 0) resolve(summary);
    else reject(new Error(`a part of the simulation ended with ${code}`));
  });
  return promise;
}
