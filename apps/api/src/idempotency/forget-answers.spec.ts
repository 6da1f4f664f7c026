import { expect, it } from 'vitest';
import { ForgetAnswers } from './forget-answers.js';

it('clears away once an hour, also after it could not, and ends when it is told to', async () => {
  const calls: number[] = [];
  const warnings: string[] = [];
  let timer: (() => void) | null = null;
  let failing = true;
  const forget = new ForgetAnswers(
    {
      forgetOld: (now) => {
        calls.push(now);
        return failing ? Promise.reject(new Error('no database')) : Promise.resolve();
      },
      schedule: (_ms, run) => {
        timer = run;
        return () => (timer = null);
      },
      now: () => 42,
      log: { warn: (_details, message) => warnings.push(message) },
    },
    3_600_000,
  );
  const elapse = async (): Promise<void> => {
    timer?.();
    for (let i = 0; i < 10; i += 1) await Promise.resolve();
  };
  forget.onApplicationBootstrap();
  expect(calls).toEqual([]);
  await elapse();
  failing = false;
  await elapse();
  expect([calls, warnings.length]).toEqual([[42, 42], 1]);
  await forget.beforeApplicationShutdown();
  expect(timer).toBeNull();
});
