import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32c } from './crc32c.js';
import type { OutgoingRecord } from './ports.js';
import { decodeBatches, encodeBatch, recordBytes } from './record-batch.js';

const at = { topic: 't', partition: 3 };
const stamp = { producerId: 7n, producerEpoch: 1, sequence: 5 };
const now = 1_700_000_000_000;
const valued = (...values: string[]): OutgoingRecord[] =>
  values.map((value) => ({ ...at, key: null, value: Buffer.from(value) }));

/** As the broker stores it: with the offset of its first record; `append` sets its append time. */
function stored(batch: Buffer, baseOffset: number, { attributes = 0, appendTime = 0, lastDelta = -1 } = {}): Buffer {
  const bytes = Buffer.from(batch);
  bytes.writeBigInt64BE(BigInt(baseOffset), 0);
  bytes.writeInt16BE(bytes.readInt16BE(21) | attributes, 21);
  if (appendTime > 0) bytes.writeBigInt64BE(BigInt(appendTime), 35);
  if (lastDelta >= 0) bytes.writeInt32BE(lastDelta, 23);
  return bytes;
}
const batchOf = (...values: string[]) => encodeBatch(valued(...values), stamp, now, 'none');
const read = (bytes: Buffer, from = 0, aborted: Parameters<typeof decodeBatches>[3] = []) => {
  const { records, next, cutShort } = decodeBatches(bytes, at, from, aborted);
  return {
    values: records.map(({ value }) => String(value)),
    offsets: records.map(({ offset }) => offset),
    next,
    cutShort,
  };
};

describe('record batches', () => {
  const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
  const record = fc.record({
    topic: fc.constant('t'),
    partition: fc.constant(3),
    key: fc.oneof(fc.constant(null), fc.string({ maxLength: 80 }), bytes),
    value: fc.option(bytes),
    headers: fc.dictionary(fc.string({ minLength: 1, maxLength: 20 }), fc.oneof(fc.string(), bytes), {
      maxKeys: 4,
      noNullPrototype: true,
    }),
  });

  it('come back as they were, plain and packed', () => {
    fc.assert(
      fc.property(
        fc.array(record, { minLength: 1, maxLength: 80 }),
        fc.constantFrom('none', 'zstd'),
        (records, compression) => {
          const batch = stored(encodeBatch(records, stamp, now, compression as 'none' | 'zstd'), 40);
          const decoded = decodeBatches(batch, at, 0);
          expect(decoded.next).toBe(40 + records.length);
          expect(decoded.records).toEqual(
            records.map(({ key, value, headers }, index) => ({
              ...at,
              offset: 40 + index,
              timestamp: now,
              key: key === null ? null : Buffer.from(key),
              value,
              headers: Object.fromEntries(
                Object.entries(headers).map(([name, content]) => [name, Buffer.from(content)]),
              ),
            })),
          );
        },
      ),
    );
  });

  it('keep a header whose name is that of an object’s prototype', () => {
    const headers = Object.fromEntries([
      ['__proto__', 'x'],
      ['a', 'y'],
    ]);
    const batch = stored(encodeBatch([{ ...at, key: null, value: null, headers }], stamp, now, 'none'), 0);
    const [record] = decodeBatches(batch, at, 0).records;
    expect(Object.entries(record?.headers ?? {}).map(([name, value]) => `${name}=${String(value)}`)).toEqual([
      '__proto__=x',
      'a=y',
    ]);
  });

  it('are never larger than was reckoned', () => {
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 50 }), (records) => {
        const bound = 61 + records.reduce((sum, one) => sum + recordBytes(one), 0);
        expect(encodeBatch(records, stamp, now, 'none').length).toBeLessThanOrEqual(bound);
      }),
    );
  });

  it("bear the broker's append time where the topic says so", () => {
    const batch = stored(batchOf('a', 'b'), 0, { attributes: 0x08, appendTime: now + 5 });
    expect(decodeBatches(batch, at, 0).records.map(({ timestamp }) => timestamp)).toEqual([now + 5, now + 5]);
  });

  it('leave out what stands below the position', () => {
    expect(read(stored(batchOf('a', 'b', 'c'), 10), 11)).toEqual({
      values: ['b', 'c'],
      offsets: [11, 12],
      next: 13,
      cutShort: false,
    });
  });

  it('lead on beyond what compaction has removed, also where nothing is left of a batch', () => {
    // The last records of the batch are gone: its range still reaches to 14.
    expect(read(stored(batchOf('a'), 10, { lastDelta: 4 }), 11)).toEqual({
      values: [],
      offsets: [],
      next: 15,
      cutShort: false,
    });
  });

  it('wait for the rest of a batch that was cut off', () => {
    const whole = stored(batchOf('a'), 0);
    const cut = stored(batchOf('b'), 1).subarray(0, 65);
    expect(read(Buffer.concat([whole, cut]))).toMatchObject({ values: ['a'], next: 1, cutShort: false });
    expect(read(cut)).toMatchObject({ values: [], next: 0, cutShort: true });
  });

  it('hide aborted transactions and markers, and only those', () => {
    const open = { attributes: 0x10 };
    const marker = { attributes: 0x30 };
    const log = Buffer.concat([
      stored(batchOf('aborted'), 0, open),
      stored(batchOf('marker'), 1, marker),
      stored(batchOf('committed'), 2, open),
      stored(batchOf('marker'), 3, marker),
      stored(batchOf('plain'), 4),
    ]);
    expect(read(log, 0, [{ producerId: 7n, firstOffset: 0 }])).toMatchObject({
      values: ['committed', 'plain'],
      next: 5,
    });
    expect(read(log, 0, [{ producerId: 8n, firstOffset: 0 }])).toMatchObject({
      values: ['aborted', 'committed', 'plain'],
    });
  });

  it('carry the checksum that brokers check', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe306_9283);
    expect(crc32c(Buffer.from('xyz123456789'), 3)).toBe(0xe306_9283);
  });
});
