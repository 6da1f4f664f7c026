import { describe, expect, it } from 'vitest';
import { EndReplays } from './end-replays.js';

interface Timer {
  readonly ms: number;
  readonly run: () => void;
}

function world(finish: () => Promise<number>, clock: { at: number } = { at: 0 }) {
  const timers: Timer[] = [];
  const seen = { published: 0, warned: 0 };
  const ends = new EndReplays(
    {
      replays: { finishEnded: finish },
      publication: { published: async () => void (await Promise.resolve((seen.published += 1))) },
      schedule(ms, run) {
        const timer = { ms, run };
        timers.push(timer);
        return () => void timers.splice(timers.indexOf(timer), 1);
      },
      now: () => 0,
      monotonic: () => clock.at,
      log: { warn: () => void (seen.warned += 1) },
    },
    2_000,
  );
  const next = async (): Promise<number> => {
    const [timer] = timers.splice(0);
    timer?.run();
    for (let i = 0; i < 20; i += 1) await Promise.resolve();
    return timer?.ms ?? -1;
  };
  return { ends, timers, seen, next };
}

describe('the end of replays', () => {
  it('is looked for again and again, and published when one has come', async () => {
    const found = [0, 2, 0];
    const { ends, seen, next } = world(() => Promise.resolve(found.shift() ?? 0));
    ends.onApplicationBootstrap();
    expect([await next(), seen.published]).toEqual([2_000, 0]);
    expect([await next(), seen.published]).toEqual([2_000, 1]);
    expect([await next(), seen.published]).toEqual([2_000, 1]);
  });

  it('is looked for on after a failure', async () => {
    const { ends, seen, next } = world(() => Promise.reject(new Error('no database')));
    ends.onApplicationBootstrap();
    expect([await next(), await next(), seen.warned]).toEqual([2_000, 2_000, 2]);
  });

  it('is looked for the more rarely the longer it takes', async () => {
    const clock = { at: 0 };
    const { ends, next } = world(() => Promise.resolve((clock.at += 500)), clock);
    ends.onApplicationBootstrap();
    expect([await next(), await next()]).toEqual([2_000, 10_000]);
  });

  it('is not looked for once the process stops, which waits for the look that is under way', async () => {
    const { promise, resolve } = Promise.withResolvers<number>();
    const { ends, timers, next } = world(() => promise);
    ends.onApplicationBootstrap();
    await next();
    let stopped = false;
    const stop = ends.beforeApplicationShutdown().then(() => (stopped = true));
    await Promise.resolve();
    expect(stopped).toBe(false);
    resolve(0);
    await stop;
    expect(timers).toEqual([]);
  });
});
