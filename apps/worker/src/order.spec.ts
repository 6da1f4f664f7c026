// Real: the whole worker. Doubled: Kafka (in-memory log), HTTP (scripted), time (virtual). Facts: in which order events were
// first answered with success, and what became of those that were not.
import { beforeEach, describe, expect, it } from 'vitest';
import type { EndpointConfig } from '#libs/contracts';
import { scheduleOf } from '#libs/core';
import { WorkerWorld } from './testing/worker-world.js';

let world: WorkerWorld;
beforeEach(async () => {
  world = await WorkerWorld.open();
});

const second = 1_000;
const minute = 60 * second;
const retry = scheduleOf([2 * second, 7 * second, 40 * second]);

/** Event ids in the order of their first success, as the endpoint saw them. */
function received(endpointId: string): string[] {
  const done = world.attempts().filter((one) => one.endpointId === endpointId && one.outcome === 'delivered');
  return [...new Set(done.map((one) => one.eventId))];
}

async function deliver(id: string, version: number, key: string | null, ordering: 'none' | 'key' | 'endpoint' = 'key') {
  return world.deliver(id, version, { ordering, orderingKey: key });
}

describe('order', () => {
  it('2. of a key holds through failures and retries, and other keys go on', async () => {
    const version = await world.endpoint('ep_1', { ordering: 'key', retry });
    await world.worker();
    world.reactions.set('ep_1', (nth) => ({ status: nth === 1 ? 500 : 200 }));
    const head = await deliver('ep_1', version, 'a');
    await world.time.run(10);
    const rest: (readonly [string | null, string])[] = [];
    for (const key of ['a', 'b', 'a', 'b', null]) rest.push([key, await deliver('ep_1', version, key)] as const);
    await world.time.run(minute);
    const order = received('ep_1');
    const ofKey = (key: string | null) => rest.filter(([one]) => one === key).map(([, event]) => event);
    expect(order.filter((event) => event === head || ofKey('a').includes(event))).toEqual([head, ...ofKey('a')]);
    expect(order.filter((event) => ofKey('b').includes(event))).toEqual(ofKey('b'));
    expect(order.slice(0, 3).toSorted()).toEqual([...ofKey('b'), ...ofKey(null)].toSorted());
    expect(world.postsTo('ep_1')).toHaveLength(6 + 1);
  });

  it('2. of an endpoint is one at a time', async () => {
    const version = await world.endpoint('ep_1', { ordering: 'endpoint', retry, maxInFlight: 8 });
    await world.worker();
    let running = 0;
    let most = 0;
    world.reactions.set('ep_1', (nth) => {
      running += 1;
      most = Math.max(most, running);
      world.time.schedule(20, () => (running -= 1));
      return { status: nth % 4 === 1 ? 503 : 200, afterMs: 20 };
    });
    const events = [];
    for (let i = 0; i < 20; i += 1) events.push(await deliver('ep_1', version, `k${i}`, 'endpoint'));
    await world.time.run(10 * minute);
    expect(received('ep_1')).toEqual(events);
    expect(most).toBe(1);
  });

  it('2. holds over spills: a lane full of followers never keeps out the head that they wait for', async () => {
    const version = await world.endpoint('ep_1', { ordering: 'key', retry });
    await world.worker({ laneRecords: 4 });
    let failures = 0;
    world.reactions.set('ep_1', () => ({ status: failures++ < 2 ? 500 : 200, afterMs: 5 }));
    const events = new Map<string, string[]>([
      ['a', []],
      ['b', []],
    ]);
    for (let i = 0; i < 60; i += 1) {
      const key = i % 2 === 0 ? 'a' : 'b';
      events.get(key)?.push(await deliver('ep_1', version, key));
    }
    await world.time.run(30 * minute);
    const order = received('ep_1');
    for (const ids of events.values()) expect(order.filter((event) => ids.includes(event))).toEqual(ids);
    expect(order).toHaveLength(60);
    expect(world.copies(0).length + world.copies(1).length).toBeGreaterThan(60 - 8);
  });

  it.each(['key', 'endpoint', 'none'] as const)(
    'drains what was spilled at the pace of the endpoint (%s), not by the turns of the retry topics',
    async (ordering) => {
      const version = await world.endpoint('ep_1', { ordering, retry });
      await world.worker({ laneRecords: 8 });
      let down = true;
      world.reactions.set('ep_1', () => (down ? 'hang' : { status: 200, afterMs: 5 }));
      for (let i = 0; i < 300; i += 1) await deliver('ep_1', version, `k${i % 10}`, ordering);
      await world.time.run(10 * second);
      expect(world.copies(0).length + world.copies(1).length).toBeGreaterThan(250);
      down = false;
      await world.time.run(35 * second);
      // 300 answers of 5 ms each, one at a time at worst; the POSTs that hung are retried by their schedule.
      expect(received('ep_1')).toHaveLength(300);
      expect(world.copies(1).length).toBeLessThan(2 * 300);
    },
  );

  it.each(['key', 'endpoint'] as const)(
    'drains also what stands further on in the topics than is read ahead (%s)',
    async (ordering) => {
      const id = world.idIn(1);
      const version = await world.endpoint(id, { ordering, retry, maxInFlight: 16 });
      const count = 2_500;
      for (let i = 0; i < count; i += 1) await deliver(id, version, `k${i % 4}`, ordering);
      // A former owner has spilled all of them, and the last of them first.
      const { deliveries, retry: topics } = world.topics;
      const given = world.log.recordsOf(deliveries).map(({ value }) => world.codecs.delivery.decode(value!));
      const writer = { era: 1, generation: 0 };
      for (const [i, delivery] of given.toReversed().entries()) {
        const copy = world.codecs.delivery.encode({ ...delivery, hop: 1, pos: count - 1 - i, writer });
        await world.append(topics[1]?.name ?? '', 1, id, copy);
      }
      const [first] = world.firstCommits();
      await world.log.administration().setCommits('posthorn.worker', [{ ...first!, partition: 1, offset: count }]);
      const since = world.time.now();
      await world.worker({ laneRecords: 50 });
      await world.deliver(id, version, { ordering, orderingKey: 'k0' });
      while (received(id).length < count && world.time.now() - since < minute) await world.time.run(100);
      // Each of them is behind more than is read ahead, and would wait for half a minute.
      expect(world.time.now() - since).toBeLessThan(10 * second);
    },
    30_000,
  );

  it('2. holds over hand-overs and crashes, with the head in a retry topic', async () => {
    const version = await world.endpoint('ep_1', { ordering: 'key', retry });
    let down = true;
    world.reactions.set('ep_1', () => ({ status: down ? 500 : 200, afterMs: 5 }));
    const first = await world.worker({ laneRecords: 4 });
    const events = [];
    for (let i = 0; i < 12; i += 1) events.push(await deliver('ep_1', version, 'a'));
    await world.time.run(3 * second);
    await first.kill();
    down = false;
    const second_ = await world.worker({ laneRecords: 4 });
    await world.time.run(2 * second);
    for (let i = 0; i < 5; i += 1) events.push(await deliver('ep_1', version, 'a'));
    await world.time.run(6 * second);
    await world.time.during(second_.consumer.stop());
    const third = await world.worker({ laneRecords: 4 });
    await world.time.run(5 * minute);
    expect(received('ep_1')).toEqual(events);
    expect(third.alarms).toEqual([]);
  });

  it('2. goes by the stricter of two settings where one was changed', async () => {
    const version = await world.endpoint('ep_1', { ordering: 'none', retry, maxInFlight: 8 });
    await world.worker();
    let failures = 0;
    world.reactions.set('ep_1', () => ({ status: failures++ < 1 ? 500 : 200 }));
    const before = await deliver('ep_1', version, 'a', 'none');
    const newer = await world.endpoint('ep_1', { ordering: 'endpoint', retry, maxInFlight: 8, revision: 2 });
    const strict = await deliver('ep_1', newer, 'b', 'endpoint');
    const newest = await world.endpoint('ep_1', { ordering: 'none', retry, maxInFlight: 8, revision: 3 });
    const loose = await deliver('ep_1', newest, 'c', 'none');
    await world.time.run(minute);
    expect(received('ep_1')).toEqual([before, strict, loose]);
  });

  it('goes on with the next of a key once the dead letter and its final Attempt are durable', async () => {
    const version = await world.endpoint('ep_1', { ordering: 'key', retry: scheduleOf([second]) });
    await world.worker();
    world.reactions.set('ep_1', (nth) => ({ status: nth <= 2 ? 500 : 200 }));
    const head = await deliver('ep_1', version, 'a');
    const next = await deliver('ep_1', version, 'a');
    await world.time.run(minute);
    expect(world.outcomes().get(head)).toBe('deadLetter');
    expect(received('ep_1')).toEqual([next]);
  });
});

describe('an endpoint that halts', () => {
  const halts: Partial<EndpointConfig> = { ordering: 'key', onExhausted: 'halt', retry: scheduleOf([second]) };

  async function halted(): Promise<{ head: string; id: string; next: string; version: number }> {
    const version = await world.endpoint('ep_1', halts);
    world.reactions.set('ep_1', (nth) => ({ status: nth <= 2 ? 500 : 200 }));
    const head = await deliver('ep_1', version, 'a');
    const next = await deliver('ep_1', version, 'a');
    await world.time.run(minute);
    const attempt = world.attempts().find((one) => one.outcome === 'halted');
    expect(attempt).toMatchObject({ eventId: head, final: false, number: 2, orderingKey: 'a' });
    expect(received('ep_1')).toEqual([]);
    return { head, next, version, id: attempt?.deliveryId ?? '' };
  }

  const decide = (deliveryId: string, action: 'release' | 'skip') =>
    world.endpoint('ep_1', { ...halts, revision: 2, resolutions: [{ deliveryId, action, at: world.time.now() }] });

  it('keeps an exhausted head, and the key behind it, over hours and owners', async () => {
    const first = await world.worker();
    const { head } = await halted();
    const other = await deliver('ep_1', 0, 'b');
    await world.time.run(60 * minute);
    await first.kill();
    await world.worker();
    await world.time.run(60 * minute);
    expect(received('ep_1')).toEqual([other]);
    expect(world.outcomes().has(head)).toBe(false);
    expect(world.deadLetters()).toEqual([]);
  });

  it('tries a released head again at once, with its whole schedule', async () => {
    await world.worker();
    const { head, next, id } = await halted();
    world.reactions.set('ep_1', (nth) => ({ status: nth <= 3 ? 500 : 200 }));
    await decide(id, 'release');
    const at = world.time.now();
    await world.time.run(10 * second);
    expect(received('ep_1')).toEqual([head, next]);
    expect(world.posts[2]!.at - at).toBeLessThan(100);
    expect(world.attempts().filter((one) => one.eventId === head)).toHaveLength(4);
  });

  it('skips a head by request: a dead letter, and the next follows', async () => {
    await world.worker();
    const { head, next, id } = await halted();
    await decide(id, 'skip');
    await world.time.run(second);
    expect(world.deadLetters()).toMatchObject([{ reason: 'skipped', delivery: { eventId: head } }]);
    expect(received('ep_1')).toEqual([next]);
  });

  it('2. skips nothing before it was read in the log: its first copy would be sent as if it were new', async () => {
    const [halting, ...slow] = [0, 1, 2, 3].map((nth) => world.idIn(1, nth)) as [string, ...string[]];
    const rateLimit = { limit: 1, per: 'hour', burst: 1 } as const;
    for (const one of slow) await world.endpoint(one, { rateLimit });
    const version = await world.endpoint(halting, halts);
    world.reactions.set(halting, () => ({ status: 500 }));
    const first = await world.worker({ commitEveryMs: 60 * minute });
    for (let i = 0; i < 16 * slow.length; i += 1) await world.deliver(slow[i % slow.length] ?? '', version);
    await deliver(halting, version, 'a');
    await world.time.run(5 * second);
    const deliveryId = world.attempts().find((one) => one.outcome === 'halted')?.deliveryId ?? '';
    await first.kill();
    // What stands before it fills the memory of the next owner, who knows it by its copy in a retry topic.
    await world.worker({ backlog: { maxRecords: 16, maxBytes: 1_000_000 } });
    await world.time.run(second);
    const resolution = { deliveryId, action: 'skip', at: world.time.now() } as const;
    await world.endpoint(halting, { ...halts, revision: 2, resolutions: [resolution] });
    await world.time.run(10 * second);
    expect(world.deadLetters()).toEqual([]);
    for (const one of slow) await world.endpoint(one, { rateLimit: null, revision: 2 });
    await world.time.run(10 * minute);
    expect(world.postsTo(halting)).toHaveLength(2);
    expect(world.deadLetters()).toMatchObject([{ deliveryId, reason: 'skipped' }]);
  });

  it('halts also what has expired while it waited', async () => {
    const halting = { ...halts, retry: scheduleOf([6 * second, 20 * second], { maxTotalMs: 2 * minute }) };
    const version = await world.endpoint('ep_1', halting);
    world.reactions.set('ep_1', () => ({ status: 500 }));
    const first = await world.worker();
    await deliver('ep_1', version, 'a');
    const follower = await deliver('ep_1', version, 'a');
    await world.time.run(second);
    await first.kill();
    await world.time.run(60 * minute);
    world.reactions.set('ep_1', () => ({ status: 200 }));
    await world.worker();
    await world.time.run(10 * minute);
    expect(world.deadLetters()).toEqual([]);
    expect(world.attempts().filter(({ outcome }) => outcome === 'halted')).toMatchObject([{ number: 0 }]);
    expect(world.outcomes().has(follower)).toBe(false);
  });

  it('halts again where a released head is exhausted again: the old decision does not count twice', async () => {
    await world.worker();
    const { head, id } = await halted();
    world.reactions.set('ep_1', () => ({ status: 500 }));
    await decide(id, 'release');
    await world.time.run(30 * minute);
    expect(
      world
        .attempts()
        .filter((one) => one.eventId === head)
        .map((one) => one.outcome),
    ).toEqual(['retry', 'halted', 'retry', 'halted']);
  });
});
