/** Where progress is written: `process.stdout`, or a double. */
export interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** One line that updates on a terminal; elsewhere a plain line, at most one a second, and only when it says something new. */
export class Progress {
  #last = '';
  #lastAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly screen: Screen,
    private readonly now: () => number,
  ) {}

  show(line: string): void {
    if (this.screen.isTTY === true) {
      this.screen.write(`\r\u001b[2K${line.slice(0, (this.screen.columns ?? 80) - 1)}`);
    } else if (line !== this.#last && this.now() - this.#lastAt >= 1_000) {
      this.screen.write(`${line}\n`);
      this.#lastAt = this.now();
    } else return;
    this.#last = line;
  }

  /** Leaves the line on the screen; what is written next begins below it. */
  end(line: string): void {
    if (this.screen.isTTY === true) this.screen.write(`\r\u001b[2K${line}\n`);
    else if (line !== this.#last) this.screen.write(`${line}\n`);
    this.#last = '';
  }
}
