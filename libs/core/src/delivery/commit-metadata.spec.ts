import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CommitMetadataError,
  decodeCommitMetadata,
  encodeCommitMetadata,
  firstCommitMetadata,
  type CommitMetadata,
} from './commit-metadata.js';

const offset = fc.maxSafeNat();
const level = fc.option(fc.record({ era: fc.nat(), generation: fc.nat() }));
const floor = fc.record({ incarnation: fc.nat(), sourcePartition: fc.nat(), floor: offset });
const metadata: fc.Arbitrary<CommitMetadata> = fc.record({
  era: fc.nat(),
  a: offset,
  b: offset,
  retries: fc
    .array(fc.tuple(offset, fc.record({ position: offset, level })), { maxLength: 20 })
    .map((pairs) => new Map(pairs)),
  floors: fc.array(floor, { maxLength: 40 }),
});

describe('commit metadata', () => {
  it('comes back as it was, as a string that any broker keeps', () => {
    fc.assert(
      fc.property(metadata, (given) => {
        const text = encodeCommitMetadata(given);
        expect(text).toMatch(/^[A-Za-z0-9+/=]+$/);
        expect(decodeCommitMetadata(text)).toEqual(given);
      }),
    );
  });

  it('begins in era 1, everything from the start', () => {
    const first = decodeCommitMetadata(firstCommitMetadata([5_000, 30_000]));
    const at0 = { position: 0, level: null };
    expect(first).toEqual({
      era: 1,
      a: 0,
      b: 0,
      retries: new Map([
        [5_000, at0],
        [30_000, at0],
      ]),
      floors: [],
    });
  });

  it('10. still reads what the first version wrote', () => {
    const written = Buffer.from([1, 0, 2, 0x88, 0x27, 3, 0xb0, 0xea, 1, 200, 1]).toString('base64');
    expect(decodeCommitMetadata(written)).toEqual({
      era: 0,
      a: 0,
      b: 0,
      retries: new Map([
        [5_000, { position: 3, level: null }],
        [30_000, { position: 200, level: null }],
      ]),
      floors: [],
    });
  });

  it('refuses what it does not know, and more than a broker takes', () => {
    const known = firstCommitMetadata([5_000]);
    for (const text of ['', 'AwAA', known.slice(0, 4), Buffer.from([1, 0, 0, 0]).toString('base64')]) {
      expect(() => decodeCommitMetadata(text)).toThrow(CommitMetadataError);
    }
    const given: CommitMetadata = { era: 1, a: 0, b: 0, retries: new Map(), floors: [] };
    const retry = { position: Number.MAX_SAFE_INTEGER, level: null };
    const long = new Map(Array.from({ length: 400 }, (_, i) => [i, retry]));
    expect(() => encodeCommitMetadata({ ...given, retries: long })).toThrow(RangeError);
    expect(() => encodeCommitMetadata({ ...given, a: -1 })).toThrow(RangeError);
  });

  it('reads any string or says that it cannot', () => {
    fc.assert(
      fc.property(fc.base64String(), (text) => {
        expect(outcomeOf(text)).toMatch(/^(metadata|CommitMetadataError)$/);
      }),
    );
  });
});

function outcomeOf(text: string): string {
  try {
    decodeCommitMetadata(text);
    return 'metadata';
  } catch (error) {
    return (error as Error).name;
  }
}
