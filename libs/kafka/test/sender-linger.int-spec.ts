import { expect, it, onTestFinished } from 'vitest';
import { readAll, withFaults } from './fault-setup.js';
import { api } from './faulty-proxy.js';

it('calls that come one after the other within the linger share a request; without it each of them costs one', async () => {
  const faulty = await withFaults(1);
  const { log, proxy, topic } = faulty;
  const requestsFor = async (lingerMs: number): Promise<number> => {
    const sender = log.sender({ lingerMs });
    onTestFinished(() => sender.close());
    await sender.send([{ topic, partition: 0, key: null, value: Buffer.from('first') }]);
    const before = proxy.count(api.produce);
    const calls: Promise<unknown>[] = [];
    for (let call = 0; call < 20; call += 1) {
      calls.push(sender.send([{ topic, partition: 0, key: null, value: Buffer.from(`${lingerMs}.${call}`) }]));
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await Promise.all(calls);
    return proxy.count(api.produce) - before;
  };
  expect(await requestsFor(400)).toBe(1);
  expect(await requestsFor(0)).toBeGreaterThan(1);
  expect(await readAll(faulty.direct, topic, 1)).toHaveLength(42);
});
