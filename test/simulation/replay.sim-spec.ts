import { beforeAll, describe, expect, it } from 'vitest';
import { openCodecs, type Codecs } from './codecs.js';
import { play } from './play.js';
import { everything } from './scenario.js';
import { playSharded } from './shards.js';

/** Those seeds are of a time without batches: with them something else would happen. */
const asItWas = { ...everything, batched: 0, smallSends: 0, faults: { ...everything.faults, changeBatch: 0 } };

let codecs: Codecs;
beforeAll(async () => {
  codecs = await openCodecs();
});

describe('a seed', () => {
  it('gives the same run again, to the last line, whatever was played before it', async () => {
    const first = new Map<number, string>();
    for (let seed = 1; seed <= 12; seed += 1) first.set(seed, (await play(seed, codecs)).hash);
    expect(new Set(first.values()).size).toBe(12);
    const fresh = await openCodecs();
    for (let seed = 12; seed >= 1; seed -= 1) {
      const again = await play(seed, fresh, { keepTrace: true });
      expect(again.hash).toBe(first.get(seed));
    }
  });

  it.each([
    [901, 'a deleted endpoint was frozen afterwards'],
    [240_106, 'an endpoint was deleted before the cursors that it began with were looked up'],
    [247_297, 'copies of one delivery had the same offset in two retry topics'],
  ])('that once showed a bug shows none: %i, %s', async (seed) => {
    expect((await play(seed, codecs, { profile: asItWas })).violations).toEqual([]);
  });

  it('gives the same run in another process, however the seeds are shared out', async () => {
    const one = await playSharded({ from: 30, seeds: 8, shards: 1 });
    const two = await playSharded({ from: 30, seeds: 8, shards: 2 });
    expect(two).toEqual(one);
  });
});
