import { readFileSync } from 'node:fs';
import type { AppProcess, AppProcesses } from '#libs/app-processes';

const takenOver = 'a source partition is taken over';

/**
 * The dispatcher that has a source partition, by the logs of those that run: the one that took it over last.
 * @returns null while nobody has it
 */
export function ownerOf(platform: AppProcesses, partition: number): AppProcess | null {
  let found: { readonly app: AppProcess; readonly at: number } | null = null;
  for (const app of platform.running) {
    if (app.name !== 'dispatcher') continue;
    // What follows the last line break is being written.
    for (const line of readFileSync(app.logFile, 'utf8').split('\n').slice(0, -1)) {
      if (!line.includes(takenOver)) continue;
      const { partition: taken, time } = JSON.parse(line) as { partition: number; time: string | number };
      const at = new Date(time).getTime();
      if (taken === partition && (found === null || at > found.at)) found = { app, at };
    }
  }
  return found?.app ?? null;
}
