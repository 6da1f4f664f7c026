import { literal, repeat } from './snappy.js';

const magic = 0x184d_2204;
const blockSizes: Readonly<Record<number, number>> = { 4: 1 << 16, 5: 1 << 18, 6: 1 << 20, 7: 1 << 22 };

/** Decompresses an LZ4 frame as Kafka's clients write it. Checksums are not checked: the record batch has its own. */
export function lz4Decompress(bytes: Buffer): Buffer {
  if (bytes.readUInt32LE(0) !== magic) throw new RangeError('not an LZ4 frame');
  const flags = bytes[4] ?? 0;
  const linked = (flags & 0x20) === 0;
  const blockChecksums = (flags & 0x10) !== 0;
  const maxBlock = blockSizes[((bytes[5] ?? 0) >> 4) & 7];
  if (flags >> 6 !== 1 || maxBlock === undefined) throw new RangeError('an LZ4 frame of an unknown kind');
  let at = 7 + ((flags & 0x08) === 0 ? 0 : 8) + ((flags & 0x01) === 0 ? 0 : 4);
  let out: Buffer = Buffer.alloc(0);
  const blocks: Buffer[] = [];
  for (;;) {
    const head = bytes.readUInt32LE(at);
    at += 4;
    if (head === 0) break;
    const size = head & 0x7fff_ffff;
    const block = bytes.subarray(at, at + size);
    at += size + (blockChecksums ? 4 : 0);
    // A linked block may refer to the 64 KB before it.
    const window = linked ? out.subarray(Math.max(0, out.length - 65_536)) : Buffer.alloc(0);
    out = head >= 0x8000_0000 ? block : decompressBlock(block, window, maxBlock);
    blocks.push(out);
    if (linked && out.length < 65_536) out = Buffer.concat([window, out]);
  }
  return Buffer.concat(blocks);
}

function decompressBlock(bytes: Buffer, window: Buffer, maxBytes: number): Buffer {
  const out = Buffer.allocUnsafe(window.length + maxBytes);
  window.copy(out);
  let end = window.length;
  for (let at = 0; at < bytes.length;) {
    const token = bytes[at++] ?? 0;
    const extended = (size: number): number => {
      let total = size;
      if (size === 15) {
        let byte: number;
        do {
          byte = bytes[at++] ?? 0;
          total += byte;
        } while (byte === 255);
      }
      return total;
    };
    const literals = extended(token >> 4);
    end = literal(bytes, at, literals, out, end);
    at += literals;
    // The last sequence has no match.
    if (at >= bytes.length) break;
    const distance = bytes.readUInt16LE(at);
    at += 2;
    end = repeat(out, end, distance, extended(token & 15) + 4);
  }
  return out.subarray(window.length, end);
}
