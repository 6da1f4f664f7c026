import { setTimeout as sleep } from 'node:timers/promises';
import { sessionMs } from './chaos-world.js';
import type { Faults } from './faults.js';

/** How much is done in each part. */
export interface Plan {
  readonly dispatcherFaults: number;
  readonly departures: number;
  readonly workerFaults: number;
  /** Between two faults of the same part. */
  readonly everyMs: number;
}

/** In every test run: each kind once, in half a minute. */
export const shortPlan: Plan = { dispatcherFaults: 2, departures: 1, workerFaults: 2, everyMs: 1_000 };
/** `npm run test:chaos -- --full`: dispatchers for a minute, then workers for two. */
export const fullPlan: Plan = { dispatcherFaults: 8, departures: 3, workerFaults: 16, everyMs: 3_000 };

/** Longer than the session: its partitions are somebody else's when it wakes up. */
const frozenMs = sessionMs + 2_500;

/**
 * In turn one is killed, or sleeps through its session; a new one takes the place of a killed one. The group waits for a
 * dead member until its session ends, so that two faults are up to some seven seconds apart.
 */
async function injure(faults: Faults, app: 'dispatcher' | 'worker', count: number, everyMs: number): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    if (n > 0) await sleep(everyMs);
    if (n % 2 === 0) {
      await faults.kill(app);
      await faults.join(app);
    } else {
      await faults.freeze(app, frozenMs);
    }
  }
  await faults.thawed();
}

/** Dispatchers are killed and frozen, while workers work. */
export const injureDispatchers = (faults: Faults, { dispatcherFaults, everyMs }: Plan): Promise<void> =>
  injure(faults, 'dispatcher', dispatcherFaults, everyMs);

export const injureWorkers = (faults: Faults, { workerFaults, everyMs }: Plan): Promise<void> =>
  injure(faults, 'worker', workerFaults, everyMs);

/** Workers join, and others leave when asked to. @returns the exit codes */
export async function comeAndGo(faults: Faults, { departures, everyMs }: Plan): Promise<readonly (number | null)[]> {
  const codes: (number | null)[] = [];
  for (let n = 0; n < departures; n += 1) {
    await faults.join('worker');
    await sleep(everyMs);
    codes.push(await faults.leave('worker'));
    await sleep(everyMs);
  }
  return codes;
}
