import { gunzipSync, zstdCompressSync, zstdDecompressSync, constants } from 'node:zlib';
import { ByteReader } from './byte-reader.js';
import { crc32c } from './crc32c.js';
import { lz4Decompress } from './lz4.js';
import type { LogRecord, OutgoingRecord, TopicPartition } from './ports.js';
import { snappyDecompress } from './snappy.js';

/*
 * RecordBatch v2:
 *   baseOffset int64 | length int32 | leaderEpoch int32 | magic int8 = 2 | crc32c uint32 of what follows
 *   attributes int16 | lastOffsetDelta int32 | baseTimestamp int64 | maxTimestamp int64
 *   producerId int64 | producerEpoch int16 | baseSequence int32 | count int32 | records
 * Record: length varint | attributes int8 | timestampDelta varint | offsetDelta varint | key | value | headers
 */
const headerBytes = 61;
const crcFrom = 21;
const logAppendTimeFlag = 0x08;
const transactionalFlag = 0x10;
const controlFlag = 0x20;
const compressionMask = 0x07;
const zstd = 4;

export interface ProducerStamp {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly sequence: number;
}

/** Upper bound of what a record takes in a batch. */
export function recordBytes({ key, value, headers }: OutgoingRecord): number {
  let bytes = 32 + lengthOf(key) + lengthOf(value);
  for (const name in headers) bytes += 10 + Buffer.byteLength(name) + lengthOf(headers[name] ?? null);
  return bytes;
}

/** One batch of one partition. `now` is its create time, which topics with LogAppendTime replace. */
export function encodeBatch(
  records: readonly OutgoingRecord[],
  stamp: ProducerStamp,
  now: number,
  compression: 'none' | 'zstd',
): Buffer {
  let bound = headerBytes;
  for (const record of records) bound += recordBytes(record);
  const bytes = Buffer.allocUnsafe(bound);
  let end = headerBytes;
  for (let index = 0; index < records.length; index++) {
    const record = records[index];
    if (record !== undefined) end = writeRecord(bytes, end, record, index);
  }
  let batch = bytes.subarray(0, end);
  if (compression === 'zstd') {
    const packed = zstdCompressSync(bytes.subarray(headerBytes, end), {
      params: { [constants.ZSTD_c_compressionLevel]: 1 },
    });
    batch = Buffer.concat([bytes.subarray(0, headerBytes), packed]);
  }
  batch.writeBigInt64BE(0n, 0);
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeInt32BE(-1, 12);
  batch.writeInt8(2, 16);
  batch.writeInt16BE(compression === 'zstd' ? zstd : 0, 21);
  batch.writeInt32BE(records.length - 1, 23);
  batch.writeBigInt64BE(BigInt(now), 27);
  batch.writeBigInt64BE(BigInt(now), 35);
  batch.writeBigInt64BE(stamp.producerId, 43);
  batch.writeInt16BE(stamp.producerEpoch, 51);
  batch.writeInt32BE(stamp.sequence, 53);
  batch.writeInt32BE(records.length, 57);
  batch.writeUInt32BE(crc32c(batch, crcFrom), 17);
  return batch;
}

export interface DecodedBatches {
  readonly records: readonly LogRecord[];
  /** Where to read on: beyond control batches, aborted transactions and what compaction has removed, too. */
  readonly next: number;
  /** The answer held bytes, but not one whole batch: the first one is larger than was asked for. */
  readonly cutShort: boolean;
}

/**
 * Decodes the record set of a fetched partition. Leaves out what stands below `from` (a fetch gives whole batches), control
 * records, and records of aborted transactions (`aborted`, by first offset, as the broker lists them for read_committed).
 */
export function decodeBatches(
  bytes: Buffer,
  { topic, partition }: TopicPartition,
  from: number,
  aborted: readonly { readonly producerId: bigint; readonly firstOffset: number }[] = [],
): DecodedBatches {
  const records: LogRecord[] = [];
  const reader = new ByteReader(bytes);
  const open = aborted.toSorted((a, b) => a.firstOffset - b.firstOffset);
  const aborting = new Set<bigint>();
  let next = from;
  let whole = 0;
  while (reader.left >= headerBytes) {
    const start = reader.at;
    const baseOffset = reader.int64();
    const length = reader.int32();
    if (reader.left < length) break;
    const end = reader.at + length;
    reader.move(4);
    const magic = reader.int8();
    if (magic !== 2) throw new Error(`${topic}-${partition} holds a batch of format ${magic}; only format 2 is read`);
    reader.move(4);
    const attributes = reader.int16();
    const lastOffset = baseOffset + reader.int32();
    const baseTimestamp = reader.int64();
    const maxTimestamp = reader.int64();
    const producerId = reader.id64();
    reader.move(6);
    const count = reader.int32();
    whole += 1;

    while (open[0] !== undefined && open[0].firstOffset <= lastOffset) aborting.add(open.shift()?.producerId ?? -1n);
    if ((attributes & controlFlag) !== 0) {
      // A marker (commit or abort) ends this producer's transaction.
      aborting.delete(producerId);
    } else if (lastOffset >= from && !((attributes & transactionalFlag) !== 0 && aborting.has(producerId))) {
      const body = decompress(bytes.subarray(reader.at, end), attributes & compressionMask, topic);
      const appendTime = (attributes & logAppendTimeFlag) === 0 ? null : maxTimestamp;
      readRecords(new ByteReader(body), count, (offsetDelta, timestampDelta, key, value, headers) => {
        const offset = baseOffset + offsetDelta;
        const timestamp = appendTime ?? baseTimestamp + timestampDelta;
        if (offset >= from) records.push({ topic, partition, offset, timestamp, key, value, headers });
      });
    }
    next = Math.max(next, lastOffset + 1);
    reader.at = start + 12 + length;
  }
  return { records, next, cutShort: whole === 0 && bytes.length > 0 };
}

const noHeaders: Readonly<Record<string, Buffer>> = Object.freeze({});

function readRecords(
  reader: ByteReader,
  count: number,
  onRecord: (
    offsetDelta: number,
    timestampDelta: number,
    key: Buffer | null,
    value: Buffer | null,
    headers: Readonly<Record<string, Buffer>>,
  ) => void,
): void {
  const names = new HeaderNames();
  for (let index = 0; index < count; index++) {
    // A copy, so that one record that is kept does not keep a whole answer of megabytes alive; its parts share it.
    const record = reader.copied(reader.varint());
    record.move(1);
    const timestampDelta = record.varint();
    const offsetDelta = record.varint();
    const key = record.varintBytes();
    const value = record.varintBytes();
    const headerCount = record.varint();
    let headers = noHeaders;
    if (headerCount > 0) {
      const named: Record<string, Buffer> = {};
      // A name that comes twice: the last one counts.
      for (let nth = 0; nth < headerCount; nth++) put(named, names.next(record, nth), record.varintBytes() ?? nothing);
      headers = named;
    }
    onRecord(offsetDelta, timestampDelta, key, value, headers);
  }
}

const nothing = Buffer.alloc(0);
const mostNames = 32;

/** Names of headers. The records of a batch mostly have the same ones in the same order: their strings are made once. */
class HeaderNames {
  readonly #before: { readonly bytes: Buffer; readonly name: string }[] = [];

  /** The name that `reader` stands at, which is the `nth` of its record. */
  next(reader: ByteReader, nth: number): string {
    const length = reader.varint();
    const at = reader.move(length);
    const before = this.#before[nth];
    if (before !== undefined && isAt(reader.bytes, at, length, before.bytes)) return before.name;
    const bytes = reader.bytes.subarray(at, at + length);
    const name = bytes.toString('utf8');
    if (nth < mostNames) this.#before[nth] = { bytes, name };
    return name;
  }
}

/** For so few bytes a loop costs less than `Buffer.compare`. */
function isAt(bytes: Buffer, at: number, length: number, wanted: Buffer): boolean {
  if (length !== wanted.length) return false;
  for (let i = 0; i < length; i++) if (bytes[at + i] !== wanted[i]) return false;
  return true;
}

function put(headers: Record<string, Buffer>, name: string, value: Buffer): void {
  // Names come from others: an assignment of this one would make the value the prototype of all headers.
  if (name === '__proto__')
    Object.defineProperty(headers, name, { value, enumerable: true, configurable: true, writable: true });
  else headers[name] = value;
}

function decompress(bytes: Buffer, codec: number, topic: string): Buffer {
  switch (codec) {
    case 0:
      return bytes;
    case 1:
      return gunzipSync(bytes);
    case 2:
      return snappyDecompress(bytes);
    case 3:
      return lz4Decompress(bytes);
    case zstd:
      return zstdDecompressSync(bytes);
    default:
      throw new Error(`${topic} holds records compressed in an unknown way (${codec})`);
  }
}

function writeRecord(bytes: Buffer, start: number, record: OutgoingRecord, offsetDelta: number): number {
  const { key, value, headers } = record;
  let length = 2 + varintBytes(offsetDelta) + sizedBytes(lengthOrNull(key)) + sizedBytes(lengthOrNull(value));
  let headerCount = 0;
  for (const name in headers) {
    headerCount += 1;
    length += sizedBytes(Buffer.byteLength(name)) + sizedBytes(lengthOf(headers[name] ?? null));
  }
  length += varintBytes(headerCount);
  let at = writeVarint(bytes, start, length);
  bytes[at++] = 0; // attributes
  bytes[at++] = 0; // timestamp delta
  at = writeVarint(bytes, at, offsetDelta);
  at = writeSized(bytes, at, key);
  at = writeSized(bytes, at, value);
  at = writeVarint(bytes, at, headerCount);
  for (const name in headers) {
    at = writeSized(bytes, at, name);
    at = writeSized(bytes, at, headers[name] ?? null);
  }
  return at;
}

function writeSized(bytes: Buffer, start: number, value: string | Buffer | null): number {
  if (value === null) return writeVarint(bytes, start, -1);
  if (typeof value === 'string') {
    const length = Buffer.byteLength(value);
    const at = writeVarint(bytes, start, length);
    return at + bytes.write(value, at, length, 'utf8');
  }
  const at = writeVarint(bytes, start, value.length);
  return at + value.copy(bytes, at);
}

function writeVarint(bytes: Buffer, start: number, value: number): number {
  let rest = ((value << 1) ^ (value >> 31)) >>> 0;
  let at = start;
  while (rest >= 0x80) {
    bytes[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[at++] = rest;
  return at;
}

function varintBytes(value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0;
  return zigzag < 0x80 ? 1 : zigzag < 0x4000 ? 2 : zigzag < 0x20_0000 ? 3 : zigzag < 0x1000_0000 ? 4 : 5;
}

function sizedBytes(length: number | null): number {
  return length === null ? varintBytes(-1) : varintBytes(length) + length;
}

function lengthOrNull(value: string | Buffer | null): number | null {
  return value === null ? null : lengthOf(value);
}

function lengthOf(value: string | Buffer | null): number {
  return value === null ? 0 : typeof value === 'string' ? Buffer.byteLength(value) : value.length;
}
