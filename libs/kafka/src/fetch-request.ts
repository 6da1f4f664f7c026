import { ByteReader } from './byte-reader.js';
import type { OwnRequest } from './broker-link.js';
import type { TopicPartition } from './ports.js';

export interface FetchPosition extends TopicPartition {
  readonly position: number;
}

export interface FetchLimits {
  readonly maxWaitMs: number;
  readonly maxBytes: number;
  readonly maxBytesPerPartition: number;
}

export interface FetchedPartition extends TopicPartition {
  readonly errorCode: number;
  /** End of what may be read: the last stable offset. */
  readonly end: number;
  readonly aborted: readonly { readonly producerId: bigint; readonly firstOffset: number }[];
  readonly recordSet: Buffer;
}

/**
 * Fetch v11, read_committed (upstream services may append events in transactions). The broker fills the answer in the
 * given order, and gives a batch that is larger than the limits only to the first partition that has records.
 */
export function encodeFetch(positions: readonly FetchPosition[], limits: FetchLimits): OwnRequest {
  // Neighbours of one topic share an entry; the order of partitions is kept.
  const runs: { topic: string; of: FetchPosition[] }[] = [];
  for (const position of positions) {
    const last = runs.at(-1);
    if (last?.topic === position.topic) last.of.push(position);
    else runs.push({ topic: position.topic, of: [position] });
  }
  let size = 25 + 4 + 4 + 2;
  for (const { topic, of } of runs) size += 2 + Buffer.byteLength(topic) + 4 + of.length * 28;
  const body = Buffer.allocUnsafe(size);
  let at = body.writeInt32BE(-1, 0);
  at = body.writeInt32BE(limits.maxWaitMs, at);
  at = body.writeInt32BE(1, at); // min bytes
  at = body.writeInt32BE(limits.maxBytes, at);
  at = body.writeInt8(1, at); // read committed
  at = body.writeInt32BE(0, at); // no fetch session
  at = body.writeInt32BE(-1, at);
  at = body.writeInt32BE(runs.length, at);
  for (const { topic, of } of runs) {
    at = body.writeInt16BE(Buffer.byteLength(topic), at);
    at += body.write(topic, at);
    at = body.writeInt32BE(of.length, at);
    for (const { partition, position } of of) {
      at = body.writeInt32BE(partition, at);
      at = body.writeInt32BE(-1, at); // leader epoch
      at = body.writeBigInt64BE(BigInt(position), at);
      at = body.writeBigInt64BE(-1n, at); // log start
      at = body.writeInt32BE(limits.maxBytesPerPartition, at);
    }
  }
  at = body.writeInt32BE(0, at); // forgotten topics
  body.writeInt16BE(0, at); // rack
  return { apiKey: 1, apiName: 'Fetch', apiVersion: 11, body };
}

/** @returns the partitions, and the error of the whole answer (0: none). */
export function decodeFetch(raw: Buffer): {
  readonly errorCode: number;
  readonly partitions: readonly FetchedPartition[];
} {
  const reader = new ByteReader(raw);
  reader.move(4); // throttle time
  const errorCode = reader.int16();
  reader.move(4); // session
  const partitions: FetchedPartition[] = [];
  for (let topics = reader.int32(); topics > 0; topics--) {
    const topic = reader.string();
    for (let count = reader.int32(); count > 0; count--) partitions.push(decodePartition(reader, topic));
  }
  return { errorCode, partitions };
}

function decodePartition(reader: ByteReader, topic: string): FetchedPartition {
  const partition = reader.int32();
  const errorCode = reader.int16();
  const highWatermark = reader.int64();
  const lastStable = reader.int64();
  reader.move(8); // log start
  const aborted: { producerId: bigint; firstOffset: number }[] = [];
  for (let count = reader.int32(); count > 0; count--) {
    aborted.push({ producerId: reader.id64(), firstOffset: reader.int64() });
  }
  reader.move(4); // preferred replica
  const length = Math.max(0, reader.int32());
  const at = reader.move(length);
  return {
    topic,
    partition,
    errorCode,
    end: lastStable >= 0 ? lastStable : highWatermark,
    aborted,
    recordSet: reader.bytes.subarray(at, at + length),
  };
}
