import { randomBytes } from 'node:crypto';

declare global {
  /** TypeScript has it among what only browsers have. */
  namespace WebAssembly {
    class Memory {
      constructor(descriptor: { readonly initial: number; readonly maximum: number });
      readonly buffer: ArrayBuffer;
    }
  }
}

/**
 * How @jitl/quickjs-wasmfile-release-sync 0.32.0 lays out its memory (memory-image.spec.ts reads it from its WebAssembly):
 * static data, a stack of 5 MiB that grows downwards from here, then the heap.
 */
export const stackTop = 5_333_088;
export const stackBytes = 5 * 1024 * 1024;
const staticEnd = stackTop - stackBytes;
const pageBytes = 65_536;
/** Where a heap was never used, this is what it holds: nobody could write it by chance or on purpose. */
const paint = randomBytes(pageBytes);

/**
 * As much as the build begins with, and at most twice that: static data and stack, the 16 MiB that code may have, and fragments
 * beside them. Once it has grown it stays so: restoring puts back where the allocator's heap ends, wherever the memory does.
 */
export function machineMemory(): WebAssembly.Memory {
  const memory = new WebAssembly.Memory({ initial: 256, maximum: 512 });
  paintFrom(new Uint8Array(memory.buffer), stackTop);
  return memory;
}

/**
 * A copy of all that matters of a machine's memory between two calls: static data and heap. The stack does not: what lies
 * beyond its pointer is dead, and between two calls the pointer is always the same.
 */
export class MemoryImage {
  private constructor(
    private readonly data: Uint8Array,
    private readonly heap: Uint8Array,
  ) {}

  /** Of a memory that is new, or was painted since. */
  static of(memory: WebAssembly.Memory): MemoryImage {
    const bytes = new Uint8Array(memory.buffer);
    return new MemoryImage(bytes.slice(0, staticEnd), bytes.slice(stackTop, endOfUse(bytes)));
  }

  get bytes(): number {
    return this.data.length + this.heap.length;
  }

  /** What lies beyond the heap stays as it was: to the allocator it is not cleared, whatever it holds. */
  restore(memory: WebAssembly.Memory): void {
    const bytes = new Uint8Array(memory.buffer);
    bytes.set(this.data, 0);
    bytes.set(this.heap, stackTop);
  }

  /** As `restore`, so that another image can be taken. */
  restoreAndPaint(memory: WebAssembly.Memory): void {
    this.restore(memory);
    paintFrom(new Uint8Array(memory.buffer), stackTop + this.heap.length);
  }
}

function paintFrom(bytes: Uint8Array, from: number): void {
  for (let at = from; at < bytes.length;) {
    const within = at % pageBytes;
    bytes.set(within === 0 ? paint : paint.subarray(within), at);
    at += pageBytes - within;
  }
}

/** The end of the last page that is not as it was painted. */
function endOfUse(bytes: Uint8Array): number {
  let end = bytes.length;
  while (end - pageBytes > stackTop && paint.equals(bytes.subarray(end - pageBytes, end))) end -= pageBytes;
  return end;
}
