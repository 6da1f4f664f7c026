import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Readable } from '../../oracle/secrecy-oracle.js';

const pieceBytes = 1 << 20;

/**
 * Every file below a folder, a place each.
 * @param isLeftOut by the path below the folder
 */
export function* filesBelow(
  folder: string,
  name: string,
  isLeftOut: (path: string) => boolean = () => false,
): Generator<Readable> {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    const path = relative(folder, file);
    if (entry.isFile() && !isLeftOut(path)) yield { place: `${name} ${path}`, pieces: pieces(file) };
  }
}

/** Synchronous: most files are small, and a stream for each would take longer than they do. */
function* pieces(file: string): Generator<Buffer> {
  const opened = openedOrGone(file);
  if (opened === null) return;
  try {
    const room = Math.min(pieceBytes, fstatSync(opened).size + 1);
    for (;;) {
      const piece = Buffer.allocUnsafe(room);
      const length = readSync(opened, piece);
      if (length === 0) return;
      yield piece.subarray(0, length);
    }
  } finally {
    closeSync(opened);
  }
}

/** Broker and database remove files while others are read. */
function openedOrGone(file: string): number | null {
  try {
    return openSync(file, 'r');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}
