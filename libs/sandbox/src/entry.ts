export interface EntryOptions {
  /** Places that may be in use or given away before another one is given. */
  readonly most: number;
  readonly queued: () => number;
}

/**
 * Who may come into a queue, so that not all are let in at once who see the same free place. A place that was given and not taken
 * when the event loop goes on is given to somebody else: whoever fails in between costs nothing.
 */
export class Entry {
  readonly #waiting: (() => void)[] = [];
  #given = 0;
  #isOpen = false;
  #isExpiring = false;

  constructor(private readonly options: EntryOptions) {}

  /** Resolves, in the order of asking, when a place is given. */
  room(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.admit();
    });
  }

  /** Somebody has come in. */
  taken(): void {
    this.#given = Math.max(this.#given - 1, 0);
  }

  /** The queue has become shorter. */
  admit(): void {
    while (this.#isOpen || this.options.queued() + this.#given <= this.options.most) {
      const go = this.#waiting.shift();
      if (go === undefined) return;
      this.#given += 1;
      this.#expireLater();
      go();
    }
  }

  /** For everybody from now on. */
  open(): void {
    this.#isOpen = true;
    this.admit();
  }

  #expireLater(): void {
    if (this.#isExpiring) return;
    this.#isExpiring = true;
    setImmediate(() => {
      this.#isExpiring = false;
      this.#given = 0;
      this.admit();
    });
  }
}
