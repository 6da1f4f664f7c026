import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NearSpills } from './near-spills.js';

describe('NearSpills', () => {
  it('counts what is away of lower pos (model: a sorted list)', () => {
    const step = fc.record({ pos: fc.nat(60), isBack: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), fc.integer({ min: 1, max: 30 }), (steps, most) => {
        const near = new NearSpills();
        let model: number[] = [];
        for (const { pos, isBack } of steps) {
          if (isBack) {
            near.remove(pos, 0);
            const at = model.indexOf(pos);
            if (at >= 0) model.splice(at, 1);
          } else {
            near.add(pos, most, 0);
            model = [...model, pos].sort((a, b) => a - b).slice(0, most);
          }
          for (const at of [0, pos, 61]) expect(near.before(at, 0)).toBe(model.filter((one) => one < at).length);
        }
      }),
    );
  });

  it('forgets what never came back', () => {
    const near = new NearSpills();
    near.add(1, 10, 100_000);
    expect(near.before(5, 110_000)).toBe(1);
    expect(near.before(5, 140_000)).toBe(0);
  });
});
