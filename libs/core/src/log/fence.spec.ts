import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareEpochs, FenceLevels, type WriterEpoch } from './fence.js';

const epoch = fc.record({ era: fc.nat(2), generation: fc.nat(4) });

const highest = (epochs: readonly WriterEpoch[]): WriterEpoch | null => epochs.toSorted(compareEpochs).at(-1) ?? null;

describe('FenceLevels', () => {
  it('makes void what stands behind a fence of a higher epoch than its writer (model: the whole log)', () => {
    const log = fc.array(fc.record({ kind: fc.constantFrom('fence', 'copy'), epoch }), { maxLength: 40 });
    fc.assert(
      fc.property(log, fc.nat(40), fc.nat(40), (records, start, forgetAt) => {
        const fencesBelow = (offset: number) =>
          records.slice(0, offset).flatMap((record) => (record.kind === 'fence' ? [record.epoch] : []));
        const levels = new FenceLevels(highest(fencesBelow(start)));
        for (const [offset, record] of records.entries()) {
          if (offset < start) continue;
          if (record.kind === 'fence') levels.met(offset, record.epoch);
        }
        const asked = Math.min(Math.max(start, forgetAt), records.length);
        levels.forget(asked);
        for (const [offset, record] of records.entries()) {
          if (offset < asked) continue;
          expect(levels.levelAt(offset)).toEqual(highest(fencesBelow(offset)));
          const level = highest(fencesBelow(offset));
          expect(levels.isVoid(offset, record.epoch)).toBe(level !== null && compareEpochs(record.epoch, level) < 0);
        }
        expect(levels.present).toEqual(highest(fencesBelow(records.length)) ?? levels.levelAt(Infinity));
      }),
    );
  });

  it('compares eras before generations', () => {
    expect(compareEpochs({ era: 1, generation: 99 }, { era: 2, generation: 1 })).toBeLessThan(0);
    expect(compareEpochs({ era: 2, generation: 1 }, { era: 2, generation: 3 })).toBeLessThan(0);
    expect(compareEpochs({ era: 2, generation: 3 }, { era: 2, generation: 3 })).toBe(0);
  });
});
