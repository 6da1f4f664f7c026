/** Looks in a row that find a thread where it was, until it counts as stuck. */
export const looksUntilStuck = 2;

/**
 * Whether a thread goes on, seen from outside. It counts looks, not time: when all was paused, process, container or machine, then
 * a single look comes late, and none of that was the thread's doing.
 */
export class StepWatch {
  #seen = 0;
  #looks = 0;

  /** @param steps one number, which the thread raises before each step */
  constructor(private readonly steps: Int32Array) {}

  begin(): void {
    this.#seen = Atomics.load(this.steps, 0);
    this.#looks = 0;
  }

  /** @returns whether it is stuck */
  look(): boolean {
    if (Atomics.load(this.steps, 0) !== this.#seen) this.begin();
    else this.#looks += 1;
    return this.#looks >= looksUntilStuck;
  }
}
