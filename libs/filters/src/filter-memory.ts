/** What is remembered by text, up to so many bytes in all; the one that was asked for least recently goes first. */
export class FilterMemory<T> {
  readonly #byText = new Map<string, { readonly value: T; readonly bytes: number }>();
  #bytes = 0;

  constructor(private readonly maxBytes: number) {}

  get bytes(): number {
    return this.#bytes;
  }

  get(text: string): T | undefined {
    const known = this.#byText.get(text);
    if (known === undefined) return undefined;
    // Put at the end: a map keeps the order in which its keys came.
    this.#byText.delete(text);
    this.#byText.set(text, known);
    return known.value;
  }

  /** Of a text that it does not have. */
  set(text: string, value: T, bytes: number): void {
    this.#byText.set(text, { value, bytes });
    this.#bytes += bytes;
    for (const [oldest, known] of this.#byText) {
      if (this.#bytes <= this.maxBytes) break;
      this.#byText.delete(oldest);
      this.#bytes -= known.bytes;
    }
  }
}
