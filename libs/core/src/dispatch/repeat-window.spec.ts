import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RepeatWindow, type EventIdentity } from './repeat-window.js';

const identity = fc.record({
  tenantId: fc.constantFrom('a', 'ab'),
  source: fc.constantFrom('b', 'bb', ''),
  id: fc.integer({ min: 0, max: 30 }).map(String),
});
const events = fc.array(fc.record({ identity, gap: fc.integer({ min: 0, max: 5 }) }), { maxLength: 300 });

interface Placed {
  readonly identity: EventIdentity;
  readonly offset: number;
}

const placed = (list: readonly { identity: EventIdentity; gap: number }[]): Placed[] => {
  let offset = 0;
  return list.map((one) => ({ identity: one.identity, offset: (offset += 1 + one.gap) }));
};
const nameOf = ({ tenantId, source, id }: EventIdentity) => JSON.stringify([tenantId, source, id]);

describe('RepeatWindow', () => {
  it('an event is a repeat if the same stands among the records before it', () => {
    fc.assert(
      fc.property(events, fc.integer({ min: 0, max: 80 }), (list, size) => {
        const window = new RepeatWindow(size);
        const log = placed(list);
        for (const [at, { identity: who, offset }] of log.entries()) {
          const before = log.slice(0, at).filter((one) => offset - one.offset <= size);
          expect(window.note(who, offset)).toBe(before.some((one) => nameOf(one.identity) === nameOf(who)));
        }
      }),
    );
  });

  it('a new owner that has read back the window decides like the former', () => {
    fc.assert(
      fc.property(events, fc.integer({ min: 0, max: 80 }), fc.nat(300), (list, size, handOver) => {
        const log = placed(list);
        const commit = log[handOver % Math.max(1, log.length)]?.offset ?? 0;
        const [former, next] = [new RepeatWindow(size), new RepeatWindow(size)];
        for (const { identity: who, offset } of log) {
          const decided = former.note(who, offset);
          if (offset >= commit) expect(next.note(who, offset)).toBe(decided);
          else if (offset >= commit - size) next.note(who, offset);
        }
      }),
    );
  });

  it('takes some megabytes for 100,000 events, however many come', () => {
    const window = new RepeatWindow(100_000);
    for (let offset = 0; offset < 350_000; offset += 1) {
      if (window.note({ tenantId: 'acme', source: '/s', id: String(offset) }, offset)) throw new Error('no repeat');
    }
    expect(window.note({ tenantId: 'acme', source: '/s', id: '250000' }, 350_000)).toBe(true);
    expect(window.note({ tenantId: 'acme', source: '/s', id: '249999' }, 350_001)).toBe(false);
    expect(window.bytes).toBeLessThan(8_000_000);
  });
});
