import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { machineMemory, MemoryImage, stackBytes, stackTop } from './memory-image.js';

const wasm = readFileSync(createRequire(import.meta.url).resolve('@jitl/quickjs-wasmfile-release-sync/wasm'));

/** The sections of a WebAssembly module, by their id (WebAssembly Core, §5.5.2). */
function sectionsOf(bytes: Buffer): Map<number, number> {
  const starts = new Map<number, number>();
  for (let at = 8; at < bytes.length;) {
    const id = bytes[at] ?? 0;
    const [size, start] = unsigned(bytes, at + 1);
    starts.set(id, start);
    at = start + size;
  }
  return starts;
}

/** LEB128: the value, and where it ends. */
function unsigned(bytes: Buffer, from: number): [value: number, end: number] {
  let value = 0;
  for (let at = from, shift = 0; ; at += 1, shift += 7) {
    const byte = bytes[at] ?? 0;
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return [value, at + 1];
  }
}

describe('the layout of the pinned build', () => {
  it('has its stack pointer begin where we take the stack to end: at its first global, which can be changed', () => {
    const at = (sectionsOf(wasm).get(6) ?? 0) + 1;
    // i32, mutable, i32.const
    expect([...wasm.subarray(at, at + 3)]).toEqual([0x7f, 1, 0x41]);
    expect(unsigned(wasm, at + 3)[0]).toBe(stackTop);
  });

  it('has its static data end just where we take the stack to begin', () => {
    let [left, at] = unsigned(wasm, sectionsOf(wasm).get(11) ?? 0);
    let end = 0;
    for (; left > 0; left -= 1) {
      // flags 0, i32.const offset end, bytes
      const [offset, afterOffset] = unsigned(wasm, at + 2);
      const [size, start] = unsigned(wasm, afterOffset + 1);
      end = Math.max(end, offset + size);
      at = start + size;
    }
    const staticEnd = stackTop - stackBytes;
    expect(end).toBeLessThanOrEqual(staticEnd);
    // What is not initialised comes after it: a few KiB.
    expect(staticEnd - end).toBeLessThan(8_192);
  });
});

describe('an image', () => {
  const heapOf = (memory: WebAssembly.Memory) => new Uint8Array(memory.buffer).subarray(stackTop);

  it('holds what was written, also where zeros were', () => {
    const memory = machineMemory();
    heapOf(memory).fill(0, 0, 300_000);
    const image = MemoryImage.of(memory);
    heapOf(memory).fill(7);
    new Uint8Array(memory.buffer).fill(7, 0, 1_000);
    image.restore(memory);
    expect(
      heapOf(memory)
        .subarray(0, 300_000)
        .every((byte) => byte === 0),
    ).toBe(true);
    expect(new Uint8Array(memory.buffer, 0, 1_000).every((byte) => byte === 0)).toBe(true);
  });

  it('is as large as what is in use, also after more of it was', () => {
    const memory = machineMemory();
    const fresh = MemoryImage.of(memory);
    heapOf(memory).fill(1, 0, 5_000_000);
    const large = MemoryImage.of(memory);
    expect(large.bytes - fresh.bytes).toBeGreaterThan(4_800_000);
    fresh.restoreAndPaint(memory);
    expect(MemoryImage.of(memory).bytes).toBe(fresh.bytes);
  });
});
