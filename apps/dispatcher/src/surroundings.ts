/** Everything around the stages that is not their work: clocks, timers, log lines. A simulation gives its own. */
export interface Surroundings {
  /** Unix milliseconds. */
  now(): number;
  /** Milliseconds of the clock that leases are measured by. */
  monotonic(): number;
  /** Calls `task` once, after so many milliseconds. @returns what calls it off. */
  schedule(ms: number, task: () => void): () => void;
  /** This process cannot go on: it should exit with a failure, so that another takes over. */
  die(error: Error): void;
  readonly log: Log;
}

interface Log {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

export function pause(around: Pick<Surroundings, 'schedule'>, ms: number): Promise<void> {
  return new Promise((resolve) => around.schedule(ms, resolve));
}

/** Waits between tries, in milliseconds: 100, 200, … 5,000. */
export const backoffMs = (failures: number): number => Math.min(5_000, 100 * 2 ** Math.min(failures, 6));

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
