import { beforeEach, describe, expect, it } from 'vitest';
import { topicNames } from '#libs/contracts';
import { FarCopies } from './far-copies.js';
import { StreamWindow } from './entry.js';
import type { EndpointShare, Entry, OwnedPartition } from './owned-partition.js';
import { VirtualTime } from './testing/virtual-time.js';

const second = 1_000;
const topics = topicNames('posthorn');
let time: VirtualTime;
let again: string[];
let mayLook: boolean;
let reads: number;
let copies: FarCopies;

beforeEach(() => {
  time = new VirtualTime();
  again = [];
  mayLook = true;
  reads = 0;
  const unused = (): never => {
    throw new Error('not used');
  };
  copies = new FarCopies(topics, {
    reader: {
      range() {
        reads += 1;
        throw new Error('no broker answers');
      },
    },
    codecs: { delivery: { encode: unused, decode: unused }, isFence: unused, prepare: unused },
    clock: time,
    log: { warn: () => undefined },
    mayLook: () => mayLook,
    ahead: () => 'startable',
    again: ({ endpointId }) => void again.push(endpointId),
    found: unused,
    done: unused,
  });
});

/** Of an endpoint with one delivery that could be sent at once, and stands in the first retry topic. */
function share(endpointId: string): EndpointShare {
  const tracker = {};
  const partition = { number: 0, alive: true, deliveries: { next: 1 }, retries: [tracker], halted: new Set() };
  const entry = {
    pos: 0,
    ordering: 'none',
    orderingKey: null,
    place: 'away',
    dueAt: null,
    copies: [{ tracker, offset: 0 }],
  };
  const window = new StreamWindow<OwnedPartition>('live');
  window.add({ ...entry, partition, window } as unknown as Entry);
  const counts = { outstanding: 1, halted: 0, here: 0, lookedAt: -Infinity };
  return { endpointId, ...counts, held: new Set(), windows: new Map([['live', window]]) };
}

describe('a look for far copies that could not be made', () => {
  it('is asked for again, once for each endpoint: nobody else may ask', async () => {
    mayLook = false;
    const [one, other] = [share('ep_1'), share('ep_2')];
    for (const of of [one, other, one]) copies.look(of);
    await time.run(second);
    expect(again).toEqual(['ep_1', 'ep_2']);
    await time.run(10 * second);
    expect(again).toEqual(['ep_1', 'ep_2']);
    expect(reads).toBe(0);
  });

  it('is not asked for any more when its worker ends', async () => {
    mayLook = false;
    copies.look(share('ep_1'));
    copies.close();
    copies.look(share('ep_2'));
    await time.run(10 * second);
    expect(again).toEqual([]);
  });

  it('is asked for again when the log cannot be read, and when one has just been made', async () => {
    const one = share('ep_1');
    copies.look(one);
    await time.run(second);
    expect([reads, again]).toEqual([1, ['ep_1']]);
    copies.look(one);
    await time.run(0);
    copies.look(one);
    await time.run(second);
    expect([reads, again]).toEqual([2, ['ep_1', 'ep_1']]);
  });
});
