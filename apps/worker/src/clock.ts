/** Time as the stage sees it: real in `worker.module.ts`, virtual in tests. */
export interface Clock {
  /** Unix milliseconds. */
  now(): number;
  /** Milliseconds of a clock that never jumps: the lease's. */
  monotonic(): number;
  /** Runs `task` once, in `ms` milliseconds. @returns how to call it off */
  schedule(ms: number, task: () => void): () => void;
  /** Runs `task` after what is ready now: what it collects until then goes out together. */
  defer(task: () => void): void;
}
