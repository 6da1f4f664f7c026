import { expect, it } from 'vitest';
import { Entry } from './entry.js';

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A queue of which `leave` takes one away. */
function doubled(most: number) {
  const queue: number[] = [];
  const came: number[] = [];
  let longest = 0;
  const entry = new Entry({ most, queued: () => queue.length });
  const come = async (who: number) => {
    await entry.room();
    entry.taken();
    queue.push(who);
    came.push(who);
    longest = Math.max(longest, queue.length);
  };
  const leave = () => {
    queue.shift();
    entry.admit();
  };
  return { entry, queue, came, come, leave, longest: () => longest };
}

it('lets in no more than there is room for, in the order of asking', async () => {
  const { came, come, leave, queue, longest } = doubled(4);
  const all = Array.from({ length: 50 }, (_, i) => come(i));
  await turn();
  expect(came).toEqual([0, 1, 2, 3, 4]);
  for (; queue.length > 0; await turn()) leave();
  await Promise.all(all);
  expect(came).toEqual(Array.from({ length: 50 }, (_, i) => i));
  expect(longest()).toBe(5);
});

it('gives a place that nobody took to the next', async () => {
  const { entry, came, come } = doubled(4);
  const idle = Array.from({ length: 5 }, () => entry.room());
  const last = come(7);
  await Promise.all(idle);
  expect(came).toEqual([]);
  await last;
  expect(came).toEqual([7]);
});

it('lets everybody in once it is open', async () => {
  const { entry, came, come } = doubled(0);
  const all = [1, 2, 3].map(come);
  entry.open();
  await Promise.all(all);
  expect(came).toEqual([1, 2, 3]);
});
