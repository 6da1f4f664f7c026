// Real: the directory. Doubled: Kafka (InMemoryLog), Postgres, the clock.
import { beforeEach, describe, expect, it } from 'vitest';
import { InMemoryLog } from '#libs/kafka';
import { ApiLog } from '../api-log.js';
import { TenantDirectory } from './tenant-directory.js';

const topic = 'endpoints';
let log: InMemoryLog;
let stored: Set<string>;
let asked: number;
let timers: Set<() => void>;
let tenants: TenantDirectory;

beforeEach(() => {
  log = new InMemoryLog();
  log.createTopic(topic, 1);
  stored = new Set();
  asked = 0;
  timers = new Set();
  tenants = new TenantDirectory(
    topic,
    new ApiLog(log),
    async (id) => {
      asked += 1;
      return Promise.resolve(stored.has(id));
    },
    (_ms, run) => {
      timers.add(run);
      return () => void timers.delete(run);
    },
  );
});

const put = async (key: string, value: Buffer | null = Buffer.from('x')): Promise<void> => {
  await log.sender().send([{ topic, partition: 0, key, value }]);
};
const turns = async (): Promise<void> => {
  for (let i = 0; i < 40; i += 1) await Promise.resolve();
};

describe('TenantDirectory', () => {
  it('is ready when the topic was read to where it ended', async () => {
    await put('tenant:a');
    await put('ep_1');
    expect(() => tenants.check()).toThrow('not read');
    await tenants.start();
    await turns();
    expect(() => tenants.check()).not.toThrow();
    expect([tenants.has('a'), tenants.has('ep_1'), tenants.has('b')]).toEqual([true, false, false]);
  });

  it('is ready on an empty topic', async () => {
    await tenants.start();
    await turns();
    expect(() => tenants.check()).not.toThrow();
  });

  it('forgets who was deleted, and asks the database each time for who is not there', async () => {
    await put('tenant:a');
    await put('tenant:a', null);
    await tenants.start();
    await turns();
    expect(tenants.has('a')).toBe(false);
    expect([await tenants.find('a', 1), await tenants.find('a', 1)]).toEqual(['unknown', 'unknown']);
    expect(asked).toBe(2);
  });

  it('waits for the record of one that was just created', async () => {
    await tenants.start();
    stored.add('new');
    const found = tenants.find('new', 5_000);
    await turns();
    await put('tenant:new');
    expect(await found).toBe('known');
    expect(timers.size).toBe(0);
  });

  it('gives up after a while', async () => {
    await tenants.start();
    stored.add('new');
    const found = tenants.find('new', 5_000);
    await turns();
    for (const run of timers) run();
    expect(await found).toBe('not-yet');
  });
});
