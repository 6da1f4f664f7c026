import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkSource, decodeSourcePosition, encodeSourcePosition, fingerprintOf } from './source-position.js';

const record = (offset: number, value = 'v') => ({
  offset,
  timestamp: 1_700_000_000_000,
  key: Buffer.from('acme'),
  value: Buffer.from(value),
});
const committed = (
  offset: number,
  fingerprint: string | null = fingerprintOf(record(offset - 1)),
  incarnation = 2,
) => ({
  offset,
  metadata: encodeSourcePosition({ incarnation, fingerprint }),
});
const bounds = { start: 10, end: 20 };

describe('the position in a source partition', () => {
  it('survives encoding', () => {
    fc.assert(
      fc.property(fc.nat(999_999_999), fc.option(fc.string()), (incarnation, text) => {
        const position = { incarnation, fingerprint: text === null ? null : fingerprintOf(record(7, text)) };
        expect(decodeSourcePosition(encodeSourcePosition(position))).toEqual(position);
      }),
    );
  });

  it.each(['', '1', '1;-1;-', '1;01;-', '2;0;-', '1;0;short', '{"incarnation":0}'])('%j is not read', (metadata) => {
    expect(decodeSourcePosition(metadata)).toBeNull();
  });

  it('a fingerprint tells offset, time, key and value', () => {
    const base = { offset: 1, timestamp: 2, key: Buffer.from('k'), value: Buffer.from('v') };
    const others = [
      { ...base, offset: 2 },
      { ...base, timestamp: 3 },
      { ...base, key: null },
      { ...base, key: Buffer.from('kv'), value: Buffer.from('') },
      { ...base, value: null },
    ];
    expect(new Set([base, ...others].map(fingerprintOf)).size).toBe(6);
  });

  it('goes on at the commit when the same record stands before it', () => {
    const before = record(14);
    expect(checkSource({ committed: committed(15), bounds, before })).toEqual({
      kind: 'ok',
      incarnation: 2,
      offset: 15,
    });
    expect(checkSource({ committed: committed(20), bounds, before: record(19) })).toMatchObject({
      kind: 'ok',
      offset: 20,
    });
  });

  it('goes on where the record before has been deleted with time', () => {
    expect(checkSource({ committed: committed(10), bounds, before: null })).toMatchObject({ kind: 'ok', offset: 10 });
  });

  it('begins at the start of the log without a commit', () => {
    expect(checkSource({ committed: null, bounds, before: null })).toEqual({ kind: 'ok', incarnation: 0, offset: 10 });
  });

  it.each([
    ['below the log', committed(9), null, 'commit-outside-log'],
    ['beyond the log', committed(21), null, 'commit-outside-log'],
    ['behind another record', committed(15), record(14, 'other'), 'fingerprint-mismatch'],
    ['behind no record', committed(15), null, 'fingerprint-mismatch'],
    ['made by another tool', { offset: 15, metadata: '' }, record(14), 'unreadable-metadata'],
  ])('a commit %s is an alarm', (_, commit, before, reason) => {
    expect(checkSource({ committed: commit, bounds, before })).toMatchObject({ kind: 'alarm', reason });
  });
});
