import { beforeEach, describe, expect, it } from 'vitest';
import { inScope, scopeNow } from '#libs/persistence';
import { VerifyDue } from './verify-due.js';

// Doubled: the tries themselves, time.
let warnings: string[];
let timers: (() => void)[];
/** What is due, to be ended by the test. */
let due: PromiseWithResolvers<void>[];
let looks: { readonly limit: number; readonly actor: string }[];
let fails: boolean;
let desk: VerifyDue;

beforeEach(() => {
  [warnings, timers, due, looks, fails] = [[], [], [], [], false];
  desk = new VerifyDue(
    {
      verify: {
        due(limit) {
          looks.push({ limit, actor: scopeNow().actor.kind });
          if (fails) return Promise.reject(new Error('no database'));
          return Promise.resolve(due.splice(0, limit).map(({ promise }) => promise));
        },
      },
      schedule(_ms, run) {
        timers.push(run);
        return () => void timers.splice(timers.indexOf(run), 1);
      },
      log: { warn: (_details, message) => void warnings.push(message) },
    },
    { everyMs: 1_000, atOnce: 2 },
  );
});

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const some = (count: number): PromiseWithResolvers<void>[] =>
  Array.from({ length: count }, () => Promise.withResolvers<void>());

describe('tries that are due', () => {
  it('are begun as far as there is room, and the next as soon as one has ended', async () => {
    const all = some(3);
    due.push(...all);
    desk.start();
    await settled();
    expect(due).toHaveLength(1);
    desk.look();
    await settled();
    // There was no room: nobody was asked.
    expect(looks.map(({ limit }) => limit)).toEqual([2]);
    all[0]?.resolve();
    await settled();
    expect([due.length, looks.map(({ limit }) => limit)]).toEqual([0, [2, 1]]);
  });

  it('are looked for again after a while, also when that has failed, and when a try has', async () => {
    fails = true;
    desk.start();
    await settled();
    expect([warnings.length, timers.length]).toEqual([1, 1]);
    fails = false;
    const [one] = some(1);
    due.push(one!);
    timers[0]?.();
    await settled();
    one?.reject(new Error('not kept'));
    await settled();
    expect([warnings.length, timers.length]).toEqual([2, 1]);
  });

  it('are tried in nobody’s name, whoever’s request has set them off', async () => {
    const scope = { confinement: { tenantId: 'a', endpointIds: null }, ip: null, requestId: null };
    inScope({ ...scope, actor: { kind: 'tenant', id: 'k', name: '' } }, () => desk.look());
    await settled();
    expect(looks.map(({ actor }) => actor)).toEqual(['system']);
  });

  it('are none any more once it stops, which waits for those on their way', async () => {
    const [one] = some(1);
    due.push(one!);
    desk.start();
    await settled();
    let stopped = false;
    const stopping = desk.stop().then(() => (stopped = true));
    await settled();
    expect([stopped, timers.length]).toEqual([false, 0]);
    one?.resolve();
    await stopping;
    desk.look();
    await settled();
    expect(looks).toHaveLength(1);
  });
});
