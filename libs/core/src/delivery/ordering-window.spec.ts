import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OrderingWindow, type Ordered } from './ordering-window.js';

const rank = { none: 0, key: 1, endpoint: 2 };

/** The rule as DESIGN §3 says it. */
function isBehind(item: Ordered, other: Ordered): boolean {
  if (other.pos >= item.pos) return false;
  const stricter = Math.max(rank[item.ordering], rank[other.ordering]);
  return stricter === 2 || (stricter === 1 && item.orderingKey === other.orderingKey);
}

const item = fc.record({
  ordering: fc.constantFrom('none' as const, 'key' as const, 'endpoint' as const),
  orderingKey: fc.constantFrom(null, '', 'a', 'b'),
  pos: fc.nat(200),
});
const uniform = fc.record({
  ordering: fc.constant('key' as const),
  orderingKey: fc.constantFrom('a', 'b'),
  pos: fc.nat(200),
});

describe('OrderingWindow', () => {
  it.each([
    ['of any settings', item],
    ['of one setting', uniform],
  ])('2. lets go exactly what is behind nothing that is outstanding, %s (model: the rule itself)', (_, kind) => {
    const script = fc.array(fc.oneof(fc.record({ add: kind }), fc.record({ remove: fc.nat(50) })), { maxLength: 80 });
    fc.assert(
      fc.property(script, (steps) => {
        const window = new OrderingWindow<Ordered>();
        const outstanding: Ordered[] = [];
        const mayGo = (one: Ordered) => !outstanding.some((other) => isBehind(one, other));
        for (const step of steps) {
          if ('add' in step) {
            if (outstanding.some(({ pos }) => pos === step.add.pos)) continue;
            outstanding.push(step.add);
            window.add(step.add);
            window.add(step.add);
          } else {
            const [gone] = outstanding.splice(step.remove % Math.max(1, outstanding.length), 1);
            if (gone === undefined) continue;
            const before = [...outstanding].filter((one) => isBehind(one, gone) || !mayGo(one));
            const freed = before.filter(mayGo).sort((a, b) => a.pos - b.pos);
            expect(window.remove(gone)).toEqual(freed);
            expect(window.remove(gone)).toEqual([]);
          }
          for (const one of outstanding) expect([one, window.mayGo(one)]).toEqual([one, mayGo(one)]);
          expect(new Set(window.items())).toEqual(new Set(outstanding));
          expect(window.size).toBe(outstanding.length);
        }
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ['of any settings', item],
    ['of one setting', uniform],
  ])('2. lets a company have who is behind nothing outside of it, %s (model: the rule itself)', (_, kind) => {
    const outstanding = fc.uniqueArray(kind, { maxLength: 40, selector: ({ pos }) => pos });
    fc.assert(
      fc.property(
        outstanding,
        fc.array(fc.nat(), { maxLength: 40 }),
        fc.array(fc.nat(), { maxLength: 60 }),
        (all, gone, asked) => {
          const window = new OrderingWindow<Ordered>();
          for (const one of all) window.add(one);
          const left = new Set<Ordered>(all);
          for (const nth of gone) {
            const one = all[nth % Math.max(1, all.length)];
            if (one === undefined || !left.delete(one)) continue;
            window.remove(one);
          }
          const company = window.company();
          const joined = new Set<Ordered>();
          // In any order: whoever is too early is turned away.
          for (const nth of asked) {
            const one = [...left][nth % Math.max(1, left.size)];
            if (one === undefined || joined.has(one)) continue;
            const mayJoin = [...left].every((other) => joined.has(other) || !isBehind(one, other));
            expect(company.joins(one)).toBe(mayJoin);
            if (mayJoin) joined.add(one);
          }
          for (const one of left) expect(window.mayGo(one)).toBe([...left].every((other) => !isBehind(one, other)));
        },
      ),
      { numRuns: 500 },
    );
  });

  it('asks little of a company of many', () => {
    const window = new OrderingWindow<Ordered>();
    const items = Array.from({ length: 20_000 }, (_, pos): Ordered => ({
      pos,
      ordering: 'key',
      orderingKey: String(pos % 10),
    }));
    for (const one of items) window.add(one);
    const company = window.company();
    expect(items.filter((one) => company.joins(one))).toHaveLength(20_000);
  });

  it('asks little of many deliveries that leave in any order', () => {
    const window = new OrderingWindow<Ordered>();
    const items = Array.from({ length: 20_000 }, (_, pos): Ordered => ({
      pos,
      ordering: 'key',
      orderingKey: String(pos % 1_000),
    }));
    for (const one of items) window.add(one);
    let freed = 0;
    for (let key = 999; key >= 0; key -= 1) {
      for (let pos = key; pos < items.length; pos += 1_000) freed += window.remove(items[pos] as Ordered).length;
    }
    expect(freed).toBe(19_000);
    expect(window.size).toBe(0);
  });
});
