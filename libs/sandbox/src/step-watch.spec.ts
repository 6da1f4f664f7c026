import { expect, it } from 'vitest';
import { StepWatch } from './step-watch.js';

it('finds a thread stuck at the second look in a row that finds it where it was', () => {
  const steps = new Int32Array(new SharedArrayBuffer(4));
  const watch = new StepWatch(steps);
  watch.begin();
  expect(watch.look()).toBe(false);
  steps[0] = 1;
  expect([watch.look(), watch.look()]).toEqual([false, false]);
  steps[0] = 2;
  expect([watch.look(), watch.look(), watch.look()]).toEqual([false, false, true]);
  watch.begin();
  expect([watch.look(), watch.look()]).toEqual([false, true]);
});
