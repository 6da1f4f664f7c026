import { childPointer, type DataFault, type DataFaultCode } from './json-fault.js';

/** More are counted, but not listed: an answer of thousands helps nobody. */
const maxListed = 100;

/** Avro binary in the making, and where in the JSON value we are. Reused: what is made is copied out of it. */
export class AvroSink {
  #bytes = Buffer.allocUnsafe(16 * 1024);
  at = 0;
  /** Faults so far; `faults` lists the first hundred. */
  failures = 0;
  faults: DataFault[] = [];
  /** Members and indexes that lead here. */
  readonly path: (string | number)[] = [];
  /** Branches of unions that were tried, so that nested unions cannot cost exponential time. */
  trials = 0;

  reset(at: number): void {
    this.at = at;
    this.failures = 0;
    this.faults = [];
    this.path.length = 0;
    this.trials = 0;
  }

  fault(code: DataFaultCode, detail: string): void {
    this.failures += 1;
    if (this.faults.length >= maxListed) return;
    this.faults.push({ code, pointer: this.path.reduce<string>(childPointer, ''), detail });
  }

  copy(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.at));
  }

  byte(value: number): void {
    this.#room(1);
    this.#bytes[this.at] = value;
    this.at += 1;
  }

  /** Zigzag, then 7 bits a byte, low ones first. */
  integer(value: number | bigint): void {
    this.#room(10);
    // Beyond 2^52 doubling is no longer exact in a double.
    if (typeof value === 'bigint' || value > 2 ** 52 || value < -(2 ** 52)) {
      const big = BigInt(value);
      let rest = BigInt.asUintN(64, (big << 1n) ^ (big >> 63n));
      for (; rest > 0x7fn; rest >>= 7n) this.#put(Number(rest & 0x7fn) | 0x80);
      this.#put(Number(rest));
      return;
    }
    let rest = value >= 0 ? value * 2 : -value * 2 - 1;
    for (; rest > 0x7f; rest = Math.floor(rest / 128)) this.#put((rest % 128) | 0x80);
    this.#put(rest);
  }

  float(value: number): void {
    this.#room(4);
    this.at = this.#bytes.writeFloatLE(value, this.at);
  }

  double(value: number): void {
    this.#room(8);
    this.at = this.#bytes.writeDoubleLE(value, this.at);
  }

  text(value: string): void {
    const length = Buffer.byteLength(value, 'utf8');
    this.integer(length);
    this.#room(length);
    this.at += this.#bytes.write(value, this.at, length, 'utf8');
  }

  raw(value: Buffer): void {
    this.#room(value.length);
    this.at += value.copy(this.#bytes, this.at);
  }

  #put(byte: number): void {
    this.#bytes[this.at] = byte;
    this.at += 1;
  }

  #room(bytes: number): void {
    if (this.at + bytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.at + bytes));
    this.#bytes.copy(larger, 0, 0, this.at);
    this.#bytes = larger;
  }
}
