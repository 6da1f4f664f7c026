import type { WriterEpoch } from '../log/index.js';
import type { LearntFloor } from './seen-positions.js';

/** Where a retry partition is read on from. */
export interface RetryPosition {
  /** Its lowest unsettled copy. */
  readonly position: number;
  /** Highest epoch of the fences below it; null: there is none. */
  readonly level: WriterEpoch | null;
}

/**
 * What is committed together with `deliveries`-p (DESIGN §2; §3 Commit): one record, atomic. Binary, as base64 (brokers
 * hand metadata on as a string; every byte must survive):
 *
 *     metadata  = version:byte era:varint a:varint b:varint
 *                 count:varint count*( delayMs:varint position:varint level )
 *                 count:varint count*( incarnation:varint sourcePartition:varint floor:varint )
 *     level     = 0:varint | era+1:varint generation:varint
 *     varint    = LEB128, unsigned, up to 2^53
 *
 * A topic is named by its delay, so that adding a topic needs no new version.
 */
export interface CommitMetadata {
  /** Raised by the tool that sets positions. */
  readonly era: number;
  /** `attempts` from here on tells which outstanding copies belong to closed deliveries. */
  readonly a: number;
  /** `deliveries` from here on tells which ids were seen. */
  readonly b: number;
  /** By retry topic. Keys are the topics' delays in ms. */
  readonly retries: ReadonlyMap<number, RetryPosition>;
  /** Floors that no record from `b` on carries. */
  readonly floors: readonly LearntFloor[];
}

const version = 2;
/** Without fences, `a` and `b`: nothing was deleted then, so both are the beginning. */
const firstVersion = 1;
/** Brokers take 4,096 bytes by default, and some of it must stay free for what later versions add. */
const maxLength = 3_000;

/** The metadata cannot be read: written by another Posthorn, or not by Posthorn at all. */
export class CommitMetadataError extends Error {
  override readonly name = 'CommitMetadataError';
}

/** The first position of a partition that holds nothing yet. `delaysMs`: delays of the retry topics. */
export function firstCommitMetadata(delaysMs: readonly number[]): string {
  const retries = new Map(delaysMs.map((delayMs) => [delayMs, { position: 0, level: null }]));
  return encodeCommitMetadata({ era: 1, a: 0, b: 0, retries, floors: [] });
}

/** Throws a RangeError when it would exceed 3,000 characters. */
export function encodeCommitMetadata({ era, a, b, retries, floors }: CommitMetadata): string {
  const bytes: number[] = [version];
  const write = (...values: readonly number[]): void => {
    for (const value of values) writeVarint(bytes, value);
  };
  write(era, a, b, retries.size);
  for (const [delayMs, { position, level }] of retries) {
    write(delayMs, position);
    if (level === null) write(0);
    else write(level.era + 1, level.generation);
  }
  write(floors.length);
  for (const { incarnation, sourcePartition, floor } of floors) write(incarnation, sourcePartition, floor);
  const text = Buffer.from(bytes).toString('base64');
  if (text.length > maxLength)
    throw new RangeError(`commit metadata of ${text.length} characters, more than ${maxLength}`);
  return text;
}

/** Reads what `encodeCommitMetadata` made. Throws `CommitMetadataError`. */
export function decodeCommitMetadata(text: string): CommitMetadata {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length === 0) throw new CommitMetadataError('the commit carries no metadata of ours');
  if (bytes[0] === firstVersion) return decodeFirstVersion(bytes);
  if (bytes[0] !== version) throw new CommitMetadataError(`commit metadata of version ${bytes[0]}, not ${version}`);
  const reader = { bytes, at: 1 };
  const next = (): number => readVarint(reader);
  const [era, a, b] = [next(), next(), next()];
  const retries = new Map<number, RetryPosition>();
  for (let rest = next(); rest > 0; rest -= 1) {
    const [delayMs, position, levelEra] = [next(), next(), next()];
    const level = levelEra === 0 ? null : { era: levelEra - 1, generation: next() };
    retries.set(delayMs, { position, level });
  }
  const floors: LearntFloor[] = [];
  for (let rest = next(); rest > 0; rest -= 1) {
    floors.push({ incarnation: next(), sourcePartition: next(), floor: next() });
  }
  if (reader.at !== bytes.length) throw new CommitMetadataError('commit metadata has bytes beyond its end');
  return { era, a, b, retries, floors };
}

/** `1:byte era:varint count:varint count*( delayMs:varint position:varint )` */
function decodeFirstVersion(bytes: Buffer): CommitMetadata {
  const reader = { bytes, at: 1 };
  const era = readVarint(reader);
  const retries = new Map<number, RetryPosition>();
  for (let rest = readVarint(reader); rest > 0; rest -= 1) {
    retries.set(readVarint(reader), { position: readVarint(reader), level: null });
  }
  if (reader.at !== bytes.length) throw new CommitMetadataError('commit metadata has bytes beyond its end');
  return { era, a: 0, b: 0, retries, floors: [] };
}

function writeVarint(bytes: number[], value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is not an offset`);
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
}

function readVarint(reader: { readonly bytes: Buffer; at: number }): number {
  let value = 0;
  for (let factor = 1; ; factor *= 128) {
    const byte = reader.bytes[reader.at];
    if (byte === undefined) throw new CommitMetadataError('commit metadata ends too early');
    reader.at += 1;
    value += (byte & 127) * factor;
    if (!Number.isSafeInteger(value)) throw new CommitMetadataError('commit metadata holds a number beyond 2^53');
    if (byte < 128) return value;
  }
}
