/**
 * What is committed together with `deliveries`-p (DESIGN §2, §3 Commit): the positions in the six retry partitions p.
 * Binary, as base64 (brokers hand metadata on as a string; every byte must survive):
 *
 *     metadata  = version:byte era:varint count:varint count*( delayMs:varint position:varint )
 *     varint    = LEB128, unsigned, up to 2^53
 *
 * A topic is named by its delay, so that adding a topic needs no new version.
 */
export interface CommitMetadata {
  /** Raised by the tool that sets positions; 0 until then. */
  readonly era: number;
  /** Position per retry topic: its lowest unsettled copy. Keys are the topics' delays in ms. */
  readonly retryPositions: ReadonlyMap<number, number>;
}

const version = 1;
/** Brokers take 4,096 bytes by default, and some of it must stay free for what later versions add. */
const maxLength = 3_000;

/** The metadata cannot be read: written by a newer Posthorn, or not by Posthorn at all. */
export class CommitMetadataError extends Error {
  override readonly name = 'CommitMetadataError';
}

/** Throws a RangeError when it would exceed 3,000 characters. */
export function encodeCommitMetadata(metadata: CommitMetadata): string {
  const bytes: number[] = [version];
  writeVarint(bytes, metadata.era);
  writeVarint(bytes, metadata.retryPositions.size);
  for (const [delayMs, position] of metadata.retryPositions) {
    writeVarint(bytes, delayMs);
    writeVarint(bytes, position);
  }
  const text = Buffer.from(bytes).toString('base64');
  if (text.length > maxLength)
    throw new RangeError(`commit metadata of ${text.length} characters, more than ${maxLength}`);
  return text;
}

/** Reads what `encodeCommitMetadata` made. Throws `CommitMetadataError`. */
export function decodeCommitMetadata(text: string): CommitMetadata {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length === 0) throw new CommitMetadataError('the commit carries no metadata of ours');
  if (bytes[0] !== version) throw new CommitMetadataError(`commit metadata of version ${bytes[0]}, not ${version}`);
  const reader = { bytes, at: 1 };
  const era = readVarint(reader);
  const count = readVarint(reader);
  const retryPositions = new Map<number, number>();
  for (let i = 0; i < count; i += 1) retryPositions.set(readVarint(reader), readVarint(reader));
  if (reader.at !== bytes.length) throw new CommitMetadataError('commit metadata has bytes beyond its end');
  return { era, retryPositions };
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
