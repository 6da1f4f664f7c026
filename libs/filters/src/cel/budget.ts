/**
 * Steps that one evaluation of an endpoint's filters may take, all its expressions together. A step is what takes about a
 * quarter of a microsecond: a node of an expression, an element of a list, 64 characters that are copied or compared.
 */
export const workLimit = 100_000;

/** Values are compared down to this depth; an event may be nested deeper than the stack is. */
export const comparisonDepth = 100;

/** Ends an evaluation whatever stands around it: unlike a `Failure`, no operator does without it. */
export class WorkExceeded extends Error {
  override readonly name = 'WorkExceeded';
}

/** What is left of the steps. */
export class Budget {
  #left = workLimit;

  get used(): number {
    return workLimit - Math.max(this.#left, 0);
  }

  /** Before the work is done: what would take too long is not begun. */
  spend(steps: number): void {
    this.#left -= steps;
    if (this.#left < 0) throw new WorkExceeded(`More than ${workLimit} steps.`);
  }

  spendText(characters: number): void {
    this.spend(characters >> 6);
  }

  /** A name that is looked up is hashed; beyond 16,383 characters V8 hashes nothing but the length, and compares. */
  spendName(characters: number): void {
    this.spend(characters >> 2);
  }
}
