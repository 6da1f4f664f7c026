import { pause, type Surroundings } from './surroundings.js';

/**
 * Lets one piece of work pass at a time, in the order of asking, and the event loop turn in between: what is sent again
 * takes one short slice after the other, however many partitions have some, and live dispatch gets its turn.
 */
export class Turnstile {
  readonly #around: Pick<Surroundings, 'schedule'>;
  #last: Promise<unknown> = Promise.resolve();

  constructor(around: Pick<Surroundings, 'schedule'>) {
    this.#around = around;
  }

  pass<T>(work: () => Promise<T>): Promise<T> {
    const passed = this.#last.then(work);
    this.#last = passed.then(
      () => pause(this.#around, 0),
      () => pause(this.#around, 0),
    );
    return passed;
  }
}
