/** Reads Kafka's wire types from a buffer (big-endian; varints are zigzag). */
export class ByteReader {
  constructor(
    readonly bytes: Buffer,
    public at = 0,
    readonly end = bytes.length,
  ) {}

  get left(): number {
    return this.end - this.at;
  }

  int8(): number {
    return this.bytes.readInt8(this.move(1));
  }

  int16(): number {
    return this.bytes.readInt16BE(this.move(2));
  }

  int32(): number {
    return this.bytes.readInt32BE(this.move(4));
  }

  /** Exact up to 2^53: offsets and times. */
  int64(): number {
    const at = this.move(8);
    return this.bytes.readInt32BE(at) * 0x1_0000_0000 + this.bytes.readUInt32BE(at + 4);
  }

  /** Producer ids use all 64 bits. */
  id64(): bigint {
    return this.bytes.readBigInt64BE(this.move(8));
  }

  string(): string {
    const length = this.int16();
    if (length < 0) return '';
    const at = this.move(length);
    return this.bytes.toString('utf8', at, at + length);
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.bytes[this.move(1)] ?? 0;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
      scale *= 128;
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** Of the same memory. */
  varintBytes(): Buffer | null {
    const length = this.varint();
    if (length < 0) return null;
    const at = this.move(length);
    return this.bytes.subarray(at, at + length);
  }

  /** A reader of a copy of the next `count` bytes. */
  copied(count: number): ByteReader {
    const at = this.move(count);
    const copy = Buffer.allocUnsafe(count);
    this.bytes.copy(copy, 0, at, at + count);
    return new ByteReader(copy);
  }

  /** Skips `count` bytes and returns where they began. */
  move(count: number): number {
    const from = this.at;
    this.at += count;
    if (this.at > this.end) throw new RangeError('an answer of the broker ends too early');
    return from;
  }
}
