// Real: the whole worker. Doubled: Kafka (in-memory log), HTTP (scripted), time (virtual). Facts: what becomes of a test send
// (DESIGN §5), and that nothing else is changed by it.
import { beforeEach, describe, expect, it } from 'vitest';
import type { Attempt, Delivery, EndpointConfig } from '#libs/contracts';
import { scheduleOf, testLastsMs } from '#libs/core';
import { WorkerWorld } from './testing/worker-world.js';

const second = 1_000;
const minute = 60_000;

let world: WorkerWorld;
let id: string;
let tests = 0;
beforeEach(async () => {
  world = await WorkerWorld.open();
  id = world.idIn(1);
});

const test = (version: number, changes: Partial<Delivery> = {}): Promise<string> =>
  world.deliver(id, version, { stream: `test:${(tests += 1)}`, sourceOffset: 0, ...changes });
const configured = async (changes: Partial<EndpointConfig> = {}): Promise<number> => {
  const version = await world.endpoint(id, { retry: scheduleOf([5 * second]), ...changes });
  await world.time.run(second);
  return version;
};
const attemptsOf = (eventId: string): Attempt[] => world.attempts().filter((one) => one.eventId === eventId);

describe('a test send', () => {
  it.each(['active', 'paused', 'disabled'] as const)('is sent to an endpoint that is %s', async (state) => {
    const version = await configured({ state });
    await world.worker();
    const event = await test(version);
    await world.time.run(second);
    expect(attemptsOf(event)).toMatchObject([{ outcome: 'delivered', final: true, response: { status: 200 } }]);
  });

  it('is over with its first answer: no retry, no dead letter, no halt', async () => {
    const version = await configured({ ordering: 'endpoint', onExhausted: 'halt', retry: scheduleOf([]) });
    world.reactions.set(id, () => ({ status: 500 }));
    await world.worker();
    const event = await test(version);
    await world.time.run(30 * minute);
    expect(world.postsTo(id)).toHaveLength(1);
    expect(attemptsOf(event)).toMatchObject([
      { outcome: 'dropped', final: true, number: 1, response: { status: 500 } },
    ]);
    expect(world.deadLetters()).toEqual([]);
    expect(world.topics.retry.flatMap((_, topic) => world.copies(topic))).toEqual([]);
  });

  it('does not disable an endpoint that answers 410, neither here nor at the next owner', async () => {
    const version = await configured();
    world.reactions.set(id, (nth) => ({ status: nth === 1 ? 410 : 200 }));
    const worker = await world.worker();
    const event = await test(version);
    await world.time.run(second);
    expect(attemptsOf(event)).toMatchObject([{ outcome: 'dropped', deadLetterReason: null }]);
    const live = [await world.deliver(id, version)];
    await world.time.run(second);
    await worker.kill();
    await world.worker();
    live.push(await world.deliver(id, version));
    await world.time.run(second);
    expect(live.map((one) => world.outcomes().get(one))).toEqual(['delivered', 'delivered']);
  });

  it('neither opens a circuit nor closes one, and does not wait for it', async () => {
    const retry = scheduleOf([minute]);
    const version = await configured({ retry });
    const untested = world.idIn(2);
    const its = await world.endpoint(untested, { retry });
    let down = true;
    for (const one of [id, untested]) world.reactions.set(one, () => ({ status: down ? 500 : 200 }));
    await world.worker();
    for (let nth = 0; nth < 40; nth += 1) {
      await test(version);
      await world.time.run(100);
    }
    expect(world.postsTo(id)).toHaveLength(40);
    for (let nth = 0; nth < 40; nth += 1) {
      await world.deliver(id, version);
      await world.deliver(untested, its);
    }
    await world.time.run(second);
    const whenOpen = world.postsTo(untested).length;
    expect(whenOpen).toBeLessThan(40);
    expect(world.postsTo(id)).toHaveLength(40 + whenOpen);
    down = false;
    const mended = await test(version);
    await world.time.run(second);
    expect(attemptsOf(mended)).toMatchObject([{ outcome: 'delivered' }]);
    expect(world.postsTo(id)).toHaveLength(40 + whenOpen + 1);
  });

  it('goes before a full lane and before halted keys, within the rate', async () => {
    const rateLimit = { limit: 1, per: 'second', burst: 1 } as const;
    const version = await configured({ rateLimit, ordering: 'endpoint', onExhausted: 'halt', retry: scheduleOf([]) });
    world.reactions.set(id, (nth) => ({ status: nth === 1 ? 500 : 200 }));
    await world.worker({ laneRecords: 4 });
    for (let nth = 0; nth < 30; nth += 1) await world.deliver(id, version, { ordering: 'endpoint' });
    await world.time.run(5 * second);
    expect(world.attempts()).toMatchObject([{ outcome: 'halted' }]);
    const at = world.time.now();
    const events = [await test(version), await test(version)];
    await world.time.run(3 * second);
    expect(events.map((one) => world.outcomes().get(one))).toEqual(['delivered', 'delivered']);
    const [, first, other] = world.postsTo(id).map((post) => post.at);
    expect((first ?? Infinity) - at).toBeLessThan(second);
    expect((other ?? 0) - (first ?? 0)).toBeGreaterThanOrEqual(second);
  });

  it('is refused beyond what a lane takes of them', async () => {
    const version = await configured({ rateLimit: { limit: 1, per: 'hour', burst: 1 } });
    await world.worker();
    const events: string[] = [];
    for (let nth = 0; nth < 30; nth += 1) events.push(await test(version));
    await world.time.run(second);
    const refused = events.flatMap(attemptsOf).filter(({ error }) => error?.kind === 'overloaded');
    expect(refused.length).toBe(30 - 1 - 16);
    expect(refused.every(({ outcome, final }) => outcome === 'dropped' && final)).toBe(true);
  });

  it('waits for the configuration that it was made with, and no longer', async () => {
    await configured();
    await world.worker();
    await world.time.run(second);
    const other = world.idIn(1, 1);
    // The offset that the record below will have.
    const event = await world.deliver(other, 1, { stream: 'test:new' });
    await world.time.run(5 * second);
    expect(attemptsOf(event)).toEqual([]);
    expect(await world.endpoint(other)).toBe(1);
    await world.time.run(second);
    expect(attemptsOf(event)).toMatchObject([{ outcome: 'delivered' }]);
  });

  it('is not sent when nobody waits for it any more, nor to an endpoint that is gone', async () => {
    const version = await configured();
    const old = await test(version);
    await world.time.run(testLastsMs + second);
    const fresh = await test(version);
    await world.worker();
    await world.time.run(second);
    const nobodys = await world.deliver('ep_gone', version, { stream: 'test:gone' });
    await world.time.run(second);
    expect(attemptsOf(old)).toMatchObject([{ outcome: 'dropped', final: true, number: 0, error: { kind: 'expired' } }]);
    expect(attemptsOf(nobodys)).toMatchObject([{ outcome: 'dropped', error: { kind: 'undeliverable' } }]);
    expect(world.outcomes().get(fresh)).toBe('delivered');
    expect(world.postsTo(id)).toHaveLength(1);
  });

  it('says what it could not be made of', async () => {
    const version = await configured();
    await world.worker();
    const renderError = 'timeout: it took too long';
    const event = await test(version, { body: null, renderError, renderKind: 'transformation' });
    await world.time.run(second);
    const error = { kind: 'transformation', message: renderError };
    expect(attemptsOf(event)).toMatchObject([{ outcome: 'dropped', final: true, url: '', error }]);
    expect(world.deadLetters()).toEqual([]);
  });

  it('is sent again where its worker has ended in the midst of it, and appended anew while it waits for its rate', async () => {
    const version = await configured({ rateLimit: { limit: 1, per: 'minute', burst: 1 } });
    world.reactions.set(id, (nth) => ({ status: 200, afterMs: nth === 1 ? 10 * second : 1 }));
    const worker = await world.worker({ secureAfterMs: 10 * second });
    const [first, other] = [await test(version), await test(version)];
    await world.time.run(second);
    await worker.kill();
    const next = await world.worker({ secureAfterMs: 10 * second });
    await world.time.run(30 * second);
    expect(world.postsTo(id)).toHaveLength(2);
    expect(attemptsOf(first)).toMatchObject([{ outcome: 'delivered', final: true }]);
    expect(world.topics.retry.flatMap((_, topic) => world.copies(topic))).toMatchObject([{ eventId: other }]);
    await next.kill();
    await world.time.run(testLastsMs);
    await world.worker();
    await world.time.run(30 * minute);
    // Its copy comes back when nobody waits for it any more.
    expect(world.postsTo(id)).toHaveLength(2);
    expect(attemptsOf(other)).toMatchObject([{ outcome: 'dropped', final: true, error: { kind: 'expired' } }]);
  });

  it('is outside of the order and the statistics of what it is sent beside', async () => {
    const version = await configured({ ordering: 'endpoint' });
    world.reactions.set(id, (nth) => (nth === 1 ? 'hang' : { status: 200 }));
    await world.worker();
    const live = await world.deliver(id, version, { ordering: 'endpoint' });
    const event = await test(version);
    await world.time.run(second);
    // The live one hangs, and is not waited for.
    expect([world.outcomes().get(live), world.outcomes().get(event)]).toEqual([undefined, 'delivered']);
    expect(world.told.outcomes).toEqual([]);
    await world.time.run(minute);
    expect(world.told.outcomes).toEqual(['retry', 'delivered']);
  });
});
