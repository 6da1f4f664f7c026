/** What happened, line by line: always hashed, so that two runs can be compared, and kept when someone wants to read it. */
export class Trace {
  readonly lines: string[] = [];
  #hash = 0x811c9dc5;
  readonly #elapsed: () => number;
  readonly #keep: boolean;

  constructor(elapsed: () => number, keep: boolean) {
    this.#elapsed = elapsed;
    this.#keep = keep;
  }

  note(what: string): void {
    const line = `${this.#elapsed()} ${what}`;
    for (let at = 0; at < line.length; at += 1) this.#hash = Math.imul(this.#hash ^ line.charCodeAt(at), 0x01000193);
    if (this.#keep) this.lines.push(line);
  }

  /** More, for the reader alone: it may cost something to say. */
  detail(say: () => string): void {
    if (this.#keep) this.lines.push(`${this.#elapsed()}   ${say()}`);
  }

  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0');
  }
}
