import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ShareBudget, type WorkKind } from './share-budget.js';

const shares = fc.record({ old: fc.integer({ min: 1, max: 5 }), fresh: fc.integer({ min: 1, max: 10 }) });

describe('ShareBudget', () => {
  it('never gives old work more than its share while fresh work waits, nor less while both wait', () => {
    fc.assert(
      fc.property(shares, fc.array(fc.constantFrom('both', 'fresh', 'old'), { maxLength: 300 }), (share, waiting) => {
        const budget = new ShareBudget(share);
        /** Since fresh work began to wait without a break, since both did. */
        let whileFresh: WorkKind[] = [];
        let whileBoth: WorkKind[] = [];
        for (const waits of waiting) {
          const freshWaits = waits !== 'old';
          const kind: WorkKind = waits !== 'fresh' && budget.mayTakeOld(freshWaits) ? 'old' : 'fresh';
          // When no fresh work waits, old work has everything.
          if (!freshWaits) expect(kind).toBe('old');
          budget.took(kind);
          whileFresh = freshWaits ? [...whileFresh, kind] : [];
          whileBoth = waits === 'both' ? [...whileBoth, kind] : [];
          const old = whileFresh.filter((one) => one === 'old').length;
          expect(old).toBeLessThanOrEqual(((whileFresh.length - old) * share.old) / share.fresh + 1);
          const got = whileBoth.filter((one) => one === 'old').length;
          const fresh = whileBoth.length - got;
          // What is earned beyond one piece is not saved up: a share that is no whole number loses less than one turn.
          const turns = Math.ceil(share.fresh / share.old);
          expect(got).toBeGreaterThanOrEqual(Math.floor(fresh / turns) - 1);
        }
      }),
    );
  });

  it('saves up as much as it is told to, for who asks only now and then', () => {
    const budget = new ShareBudget({ old: 1, fresh: 3 }, 4);
    for (let i = 0; i < 100; i += 1) budget.took('fresh');
    let old = 0;
    for (; budget.mayTakeOld(true); old += 1) budget.took('old');
    expect(old).toBe(4);
  });

  it('is a quarter unless told otherwise', () => {
    const budget = new ShareBudget();
    const took = Array.from({ length: 400 }, () => {
      const kind: WorkKind = budget.mayTakeOld(true) ? 'old' : 'fresh';
      budget.took(kind);
      return kind;
    });
    expect(took.slice(0, 5)).toEqual(['fresh', 'fresh', 'fresh', 'old', 'fresh']);
    expect(took.filter((kind) => kind === 'old')).toHaveLength(100);
  });
});
