import { CodecError } from './errors.js';

/** Items that take no bytes could be counted in billions. */
export const maxEmptyItems = 100_000;

/** How often all of the bytes may be read once more. */
const maxReread = 8;

export const malformed = (detail: string): CodecError =>
  new CodecError('malformed', `the data does not fit its schema: ${detail}`);

/** A place in Avro binary. Every read checks that it stays inside. */
export class Cursor {
  readonly bytes: Buffer;
  at: number;
  #reread = 0;

  constructor(bytes: Buffer, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  /**
   * Goes back to what was read before, for a second field that comes of it. Bounded: in a recursive record every level
   * would double the work.
   */
  reread(from: number): void {
    this.#reread += this.at - from;
    if (this.#reread > maxReread * this.bytes.length) throw malformed('read too often for fields of several names');
    this.at = from;
  }

  boolean(): boolean {
    const byte = this.#byte();
    if (byte > 1) throw malformed('not a boolean');
    return byte === 1;
  }

  /** int or long, a bigint beyond the safe integers. */
  integer(): number | bigint {
    let byte = this.#byte();
    let low = byte & 0x7f;
    if (byte < 0x80) return (low >>> 1) ^ -(low & 1);
    // 49 bits in a double, which holds times in milliseconds and all offsets; what is longer goes by bigint.
    let factor = 128;
    for (let i = 1; i < 7; i += 1) {
      byte = this.#byte();
      low += (byte & 0x7f) * factor;
      if (byte < 0x80) return low % 2 === 0 ? low / 2 : -(low + 1) / 2;
      factor *= 128;
    }
    let big = BigInt(low);
    for (let shift = 49n; shift < 70n; shift += 7n) {
      byte = this.#byte();
      big |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) {
        const value = BigInt.asIntN(64, (big >> 1n) ^ -(big & 1n));
        const number = Number(value);
        return Number.isSafeInteger(number) ? number : value;
      }
    }
    throw malformed('an integer of more than 10 bytes');
  }

  /** A length that what is left can hold. */
  length(): number {
    const length = this.integer();
    if (typeof length === 'bigint' || length < 0 || length > this.bytes.length - this.at)
      throw malformed('a length beyond its end');
    return length;
  }

  /** Items of the next block of an array or map; 0 at its end. */
  blockCount(empty: boolean): number {
    let count = this.integer();
    if (typeof count === 'bigint') throw malformed('a count beyond its end');
    if (count < 0) {
      // The block's size in bytes follows, for readers that skip it.
      this.integer();
      count = -count;
    }
    if (count > (empty ? maxEmptyItems : this.bytes.length - this.at)) throw malformed('a count beyond its end');
    return count;
  }

  index(size: number): number {
    const index = this.integer();
    if (typeof index === 'bigint' || index < 0 || index >= size) throw malformed('an unknown branch or symbol');
    return index;
  }

  float(): number {
    const from = this.#skip(4);
    return this.bytes.readFloatLE(from);
  }

  double(): number {
    const from = this.#skip(8);
    return this.bytes.readDoubleLE(from);
  }

  text(): string {
    const length = this.length();
    const from = this.at;
    this.at += length;
    return this.bytes.toString('utf8', from, this.at);
  }

  take(length: number): Buffer {
    const from = this.#skip(length);
    return this.bytes.subarray(from, from + length);
  }

  #skip(length: number): number {
    const from = this.at;
    if (length > this.bytes.length - from) throw malformed('it ends too early');
    this.at = from + length;
    return from;
  }

  #byte(): number {
    const byte = this.bytes[this.at];
    if (byte === undefined) throw malformed('it ends too early');
    this.at += 1;
    return byte;
  }
}
