import { describe, expect, it } from 'vitest';
import { Tally } from './tally.js';

describe('a tally', () => {
  it('counts receipts, what came twice and what came late, per path', () => {
    const tally = new Tally('t', 5);
    const receipts: [string, number][] = [
      ['/a', 0],
      ['/a', 2],
      ['/a', 1],
      ['/a', 1],
      ['/b', 0],
      ['/b', 3],
    ];
    const complete = receipts.map(([path, n], at) => tally.take(path, `msg_${n}`, `t.${n}`, at + 1, 100));
    expect(complete).toEqual([false, false, false, false, false, true]);
    expect(tally.report()).toEqual({
      paths: [
        { path: '/a', arrivals: [1, 3, 2] },
        { path: '/b', arrivals: [5, 0, 0, 6] },
      ],
      received: 5,
      duplicates: 1,
      outOfOrder: 1,
      lastAt: 6,
      meanBodyBytes: 100,
    });
  });

  it('leaves out the events of other tags', () => {
    const tally = new Tally('t', 1);
    expect(tally.take('/a', 'msg_1', 'tt.0', 1, 1)).toBe(false);
    expect(tally.take('/a', 'msg_1', 'x.t.0', 1, 1)).toBe(false);
    expect(tally.report()).toMatchObject({ received: 0, paths: [], lastAt: 0, meanBodyBytes: 0 });
  });
});
