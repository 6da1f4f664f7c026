import { describe, expect, it } from 'vitest';
import { InMemoryLog, type InMemoryMembership } from './index.js';

function twoMembers() {
  let clock = 0;
  const log = new InMemoryLog({ monotonic: () => clock, sessionTimeoutMs: 9_000 });
  log.createTopic('t', 4);
  const member = (name: string, events: string[]): InMemoryMembership =>
    log.membership({
      groupId: 'g',
      topics: ['t'],
      listener: {
        onGained: (gained) =>
          void events.push(
            `${name} gained ${gained.map((one) => `${one.partition}@${one.committed?.offset ?? '-'}`).join()}`,
          ),
        onLost: (lost) => void events.push(`${name} lost ${lost.map((one) => one.partition).join()}`),
        beforeJoin: () => Promise.resolve(),
        onFatal: (error) => void events.push(error.message),
      },
    });
  return { log, member, pass: (ms: number) => void (clock += ms) };
}

describe('the double of Kafka', () => {
  it('plays a member that is frozen, expires and comes back', async () => {
    const { member, pass } = twoMembers();
    const events: string[] = [];
    const a = member('a', events);
    const b = member('b', events);
    await a.join();
    await b.join();
    await a.commit([{ topic: 't', partition: 0, offset: 0 }]);
    a.freeze();
    pass(5_999);
    expect(a.heldUntil()).toBe(6_000);
    pass(1);
    await expect(a.commit([{ topic: 't', partition: 0, offset: 1 }])).rejects.toMatchObject({ code: 'not-owner' });
    await a.expire();
    expect(a.owned()).toHaveLength(2);
    expect(b.owned()).toHaveLength(4);
    await a.thaw();
    expect(events).toEqual([
      'a gained 0@-,1@-,2@-,3@-',
      'a lost 2,3',
      'b gained 2@-,3@-',
      'b gained 0@0,1@-',
      'a lost 0,1',
      'b lost 0,1',
      'a gained 0@0,1@-',
    ]);
  });

  it('refuses the commit of one that was expelled within its lease', async () => {
    const { member } = twoMembers();
    const a = member('a', []);
    await a.join();
    a.freeze();
    await a.expire();
    await expect(a.commit([{ topic: 't', partition: 0, offset: 1 }])).rejects.toMatchObject({ code: 'not-owner' });
  });

  it('acknowledges nothing while the brokers are away', async () => {
    const late: (() => void)[] = [];
    const log = new InMemoryLog({
      after: (_, task) => {
        late.push(task);
        return () => undefined;
      },
    });
    log.createTopic('t', 1);
    const sender = log.sender();
    const record = { topic: 't', partition: 0, key: null, value: Buffer.from('x') };
    log.setAvailable(false);
    const patient = sender.send([record]);
    const hasty = sender.send([record], { timeoutMs: 100 });
    late[0]?.();
    await expect(hasty).rejects.toMatchObject({ code: 'timeout' });
    await expect(log.ping()).rejects.toThrow('no broker answers');
    log.setAvailable(true);
    expect(await patient).toEqual([{ topic: 't', partition: 0, offset: 0 }]);
    expect(log.recordsOf('t')).toHaveLength(1);
  });
});
