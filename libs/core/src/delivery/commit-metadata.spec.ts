import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CommitMetadataError, decodeCommitMetadata, encodeCommitMetadata } from './commit-metadata.js';

const offset = fc.maxSafeNat();

describe('commit metadata', () => {
  it('comes back as it was, as a string that any broker keeps', () => {
    const metadata = fc.record({
      era: offset,
      retryPositions: fc.array(fc.tuple(offset, offset), { maxLength: 20 }).map((pairs) => new Map(pairs)),
    });
    fc.assert(
      fc.property(metadata, (given) => {
        const text = encodeCommitMetadata(given);
        expect(text).toMatch(/^[A-Za-z0-9+/=]+$/);
        expect(decodeCommitMetadata(text)).toEqual(given);
      }),
    );
  });

  it('refuses what it does not know, and more than a broker takes', () => {
    const known = encodeCommitMetadata({ era: 0, retryPositions: new Map([[5_000, 300]]) });
    for (const text of ['', 'AgAA', known.slice(0, 4), Buffer.from([1, 0, 0, 0]).toString('base64')]) {
      expect(() => decodeCommitMetadata(text)).toThrow(CommitMetadataError);
    }
    const long = new Map(Array.from({ length: 400 }, (_, i) => [i, Number.MAX_SAFE_INTEGER]));
    expect(() => encodeCommitMetadata({ era: 0, retryPositions: long })).toThrow(RangeError);
    expect(() => encodeCommitMetadata({ era: 0, retryPositions: new Map([[1, -1]]) })).toThrow(RangeError);
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
