/** Letters that are looked at together. */
const block = 3;
const tableSize = 1 << 20;

/**
 * Finds many needles in one pass (Wu and Manber, 1994): what stands at the end of the window says how far no needle can begin,
 * so most bytes are never looked at, however many needles there are.
 */
export class NeedleSearch {
  readonly longest: number;
  readonly #window: number;
  readonly #shifts = new Uint8Array(tableSize);
  /** Needles by the block that ends their first `#window` bytes. */
  readonly #endingIn = new Map<number, number[]>();

  /** @param needles at least three bytes each */
  constructor(private readonly needles: readonly Buffer[]) {
    const lengths = needles.map(({ length }) => length);
    this.longest = Math.max(0, ...lengths);
    this.#window = Math.min(250, ...lengths);
    if (this.#window < block) throw new RangeError(`a needle has fewer than ${block} bytes`);
    this.#shifts.fill(this.#window - block + 1);
    needles.forEach((needle, index) => this.#learn(needle, index));
  }

  /** Calls `onFound` with the index of each needle that stands in `bytes`, as often as it does. */
  in(bytes: Buffer, onFound: (needle: number) => void): void {
    const last = bytes.length - 1;
    for (let end = this.#window - 1; end <= last;) {
      const at = blockAt(bytes, end);
      const shift = this.#shifts[at] ?? 0;
      if (shift > 0) {
        end += shift;
        continue;
      }
      const begin = end - this.#window + 1;
      for (const index of this.#endingIn.get(at) ?? []) {
        const needle = this.needles[index]!;
        if (begin + needle.length <= bytes.length && needle.compare(bytes, begin, begin + needle.length) === 0)
          onFound(index);
      }
      end += 1;
    }
  }

  #learn(needle: Buffer, index: number): void {
    for (let end = block - 1; end < this.#window; end += 1) {
      const at = blockAt(needle, end);
      this.#shifts[at] = Math.min(this.#shifts[at] ?? 0, this.#window - 1 - end);
    }
    const at = blockAt(needle, this.#window - 1);
    const others = this.#endingIn.get(at);
    if (others === undefined) this.#endingIn.set(at, [index]);
    else others.push(index);
  }
}

/** Two blocks may share a place: then a shift is shorter than it could be, never longer. */
const blockAt = (bytes: Buffer, end: number): number =>
  ((bytes[end] ?? 0) ^ ((bytes[end - 1] ?? 0) << 6) ^ ((bytes[end - 2] ?? 0) << 12)) & (tableSize - 1);
