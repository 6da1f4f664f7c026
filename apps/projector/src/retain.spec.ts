import { beforeEach, describe, expect, it } from 'vitest';
import { LogInUse, type DroppedPart, type LogTable } from '#libs/persistence';
import { Retention } from './retain.js';

// Doubled: the parts in Postgres, time.
const day = 86_400_000;
let old: Record<string, DroppedPart[]>;
let expired: number[];
let oldStats: number[];
let failing: Error | null;
let calls: string[];
let timers: { ms: number; task: () => void }[];
let counted: string[];

beforeEach(() => {
  [old, expired, oldStats, failing, calls, timers, counted] = [{}, [], [], null, [], [], []];
});

const retention = (keptDays = 90): Retention =>
  new Retention(
    { log: keptDays, stats: 400 },
    {
      parts: {
        makeUpTo: (table, upto, days) => {
          calls.push(`make ${table} ${(upto - 1_000 * day) / day} ${days}`);
          return failing === null ? Promise.resolve(1) : Promise.reject(failing);
        },
        dropOldest: (table, horizon) => {
          calls.push(`drop ${table} ${(horizon - 1_000 * day) / day}`);
          return Promise.resolve(old[table]?.shift() ?? null);
        },
        expireOlder: (table, _horizon, most) => {
          calls.push(`expire ${table} ${most}`);
          return Promise.resolve(expired.shift() ?? 0);
        },
      },
      stats: {
        expire: (horizon, most) => {
          calls.push(`expire stats ${(horizon - 1_000 * day) / day} ${most}`);
          return failing === null ? Promise.resolve(oldStats.shift() ?? 0) : Promise.reject(failing);
        },
      },
      metrics: {
        logPartDropped: (table) => counted.push(`dropped ${table}`),
        logRowsExpired: (table, count) => counted.push(`expired ${table} ${count}`),
        logRetentionPutOff: (table) => counted.push(`put off ${table}`),
      },
      logger: { info: () => undefined, warn: () => undefined, error: () => undefined },
      now: () => 1_000 * day,
      schedule: (ms, task) => {
        const timer = { ms, task };
        timers.push(timer);
        return () => void (timers = timers.filter((one) => one !== timer));
      },
    },
  );
const part = (table: LogTable, kept: number | null = 0): DroppedPart => ({ name: `${table}_1`, kept });
const turns = async (): Promise<void> => {
  for (let i = 0; i < 100; i += 1) await Promise.resolve();
};

describe('Retention', () => {
  it('makes parts ahead, drops what is too old and counts it, and comes again', async () => {
    old = { deliveries: [part('deliveries'), part('deliveries')], attempts: [part('attempts')] };
    expired = [5_000, 7];
    retention().start();
    await turns();
    expect(calls.slice(0, 6)).toEqual([
      'make deliveries 14 7',
      'drop deliveries -90',
      'drop deliveries -90',
      'drop deliveries -90',
      'expire deliveries 5000',
      'expire deliveries 5000',
    ]);
    expect(calls.slice(6)).toEqual([
      'make dead_letters 14 7',
      'drop dead_letters -90',
      'expire dead_letters 5000',
      'make attempts 14 7',
      'drop attempts -90',
      'drop attempts -90',
      'expire attempts 5000',
      'expire stats -400 5000',
    ]);
    expect(counted).toEqual([
      'dropped deliveries',
      'dropped deliveries',
      'expired deliveries 5000',
      'expired deliveries 7',
      'dropped attempts',
    ]);
    expect(timers.map(({ ms }) => ms)).toEqual([600_000]);
    calls = [];
    timers[0]?.task();
    await turns();
    expect(calls).toContain('drop attempts -90');
  });

  it('has parts of a day where little is kept', async () => {
    retention(7).start();
    await turns();
    expect(calls.slice(0, 2)).toEqual(['make deliveries 14 1', 'drop deliveries -7']);
  });

  it('comes again sooner where somebody reads for long, and leaves the other tables in peace', async () => {
    failing = new LogInUse('busy');
    retention().start();
    await turns();
    expect(counted).toEqual(['put off deliveries', 'put off dead_letters', 'put off attempts']);
    expect(calls.filter((call) => call.startsWith('drop'))).toEqual([]);
    expect(timers.map(({ ms }) => ms)).toEqual([30_000]);
    failing = null;
    timers.shift()?.task();
    await turns();
    expect(timers.map(({ ms }) => ms)).toEqual([600_000]);
  });

  it('leaves a part alone in which too much lives', async () => {
    old = { deliveries: [part('deliveries', null), part('deliveries')] };
    retention().start();
    await turns();
    expect(calls.filter((call) => call === 'drop deliveries -90')).toHaveLength(1);
    expect(counted).toEqual([]);
  });

  it('forgets figures that are too old, some at once', async () => {
    oldStats = [5_000, 12];
    retention().start();
    await turns();
    expect(calls.filter((call) => call.startsWith('expire stats'))).toHaveLength(2);
    expect(counted).toEqual(['expired delivery_stats 5000', 'expired delivery_stats 12']);
  });

  it('ends with the step under way', async () => {
    const one = retention();
    one.start();
    await one.stop();
    expect(calls).toEqual(['make deliveries 14 7']);
    expect(timers).toEqual([]);
  });
});
