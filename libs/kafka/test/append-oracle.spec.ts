import { describe, expect, it } from 'vitest';
import { faultless, judgeLog } from './append-oracle.js';

const said = (...ids: string[]) => ids.map((id) => ({ source: 's', partition: 0, id }));
const stands = (...ids: string[]) => ids.map((id) => ({ partition: 0, id }));

describe('the oracle of appends', () => {
  it('finds nothing in a log that holds each record once and in order', () => {
    expect(judgeLog(said('a', 'b', 'c'), stands('a', 'b', 'c'))).toEqual(faultless);
  });

  it('allows records that were not acknowledged, between and after', () => {
    expect(judgeLog(said('a', 'c'), stands('a', 'b', 'c', 'd'))).toEqual(faultless);
  });

  it('finds a lost record', () => {
    expect(judgeLog(said('a', 'b', 'c'), stands('a', 'c'))).toEqual({ ...faultless, lost: ['b'] });
  });

  it('does not take a record of another partition for it', () => {
    expect(judgeLog(said('a'), [{ partition: 1, id: 'a' }])).toEqual({ ...faultless, lost: ['a'] });
  });

  it('finds a doubled record, acknowledged or not, and judges order by first appearances', () => {
    expect(judgeLog(said('a', 'b'), stands('a', 'b', 'a', 'x', 'x'))).toEqual({ ...faultless, doubled: ['a', 'x'] });
  });

  it('finds records that changed places', () => {
    expect(judgeLog(said('a', 'b', 'c'), stands('b', 'a', 'c'))).toEqual({ ...faultless, reordered: ['b'] });
  });

  it('compares the order within one source only', () => {
    const two = [...said('a', 'b'), { source: 't', partition: 0, id: 'x' }, { source: 't', partition: 0, id: 'y' }];
    expect(judgeLog(two, stands('x', 'a', 'y', 'b'))).toEqual(faultless);
    expect(judgeLog(two, stands('y', 'a', 'x', 'b'))).toEqual({ ...faultless, reordered: ['y'] });
  });
});
