/**
 * Decompresses Snappy as Kafka's clients write it: the raw format, or Java's framing of it (magic, versions, then blocks
 * with a length each). Throws RangeError on bytes that are not it.
 */
export function snappyDecompress(bytes: Buffer): Buffer {
  if (!bytes.subarray(0, javaMagic.length).equals(javaMagic)) return block(bytes);
  const blocks: Buffer[] = [];
  for (let at = 16; at < bytes.length;) {
    const length = bytes.readInt32BE(at);
    blocks.push(block(bytes.subarray(at + 4, at + 4 + length)));
    at += 4 + length;
  }
  return Buffer.concat(blocks);
}

const javaMagic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);

function block(bytes: Buffer): Buffer {
  let at = 0;
  let length = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++] ?? 0;
    length += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
  }
  const out = Buffer.allocUnsafe(length);
  let end = 0;
  while (at < bytes.length) {
    const tag = bytes[at++] ?? 0;
    const kind = tag & 3;
    if (kind === 0) {
      let size = tag >> 2;
      if (size >= 60) {
        const extra = size - 59;
        size = bytes.readUIntLE(at, extra);
        at += extra;
      }
      end = literal(bytes, at, size + 1, out, end);
      at += size + 1;
    } else {
      const size = kind === 1 ? 4 + ((tag >> 2) & 7) : 1 + (tag >> 2);
      const distance = kind === 1 ? ((tag >> 5) << 8) | (bytes[at] ?? 0) : bytes.readUIntLE(at, kind === 2 ? 2 : 4);
      at += kind === 1 ? 1 : kind === 2 ? 2 : 4;
      end = repeat(out, end, distance, size);
    }
  }
  if (end !== length) throw new RangeError(`snappy: ${end} bytes instead of ${length}`);
  return out;
}

/** Copies `size` bytes of the input. @returns the new end of the output. */
export function literal(from: Buffer, at: number, size: number, out: Buffer, end: number): number {
  if (at + size > from.length || end + size > out.length) throw new RangeError('compressed bytes end too early');
  from.copy(out, end, at, at + size);
  return end + size;
}

/** Copies `size` bytes from `distance` before the end of the output; the two may overlap. */
export function repeat(out: Buffer, end: number, distance: number, size: number): number {
  if (distance === 0 || distance > end || end + size > out.length)
    throw new RangeError('compressed bytes refer to nothing');
  for (let to = end; to < end + size; to++) out[to] = out[to - distance] ?? 0;
  return end + size;
}
