// Real: the whole worker. Doubled: Kafka (in-memory log), HTTP (scripted), time (virtual). Facts: what an endpoint gets before
// it has shown that it wants anything, and after.
import { beforeEach, expect, it } from 'vitest';
import { scheduleOf } from '#libs/core';
import { WorkerWorld } from './testing/worker-world.js';

let world: WorkerWorld;
let id: string;
const second = 1_000;
const minute = 60_000;

beforeEach(async () => {
  world = await WorkerWorld.open();
  id = world.idIn(1);
});

it.each(['paused', 'active'] as const)(
  '1. what waits at a worker for an endpoint that is not verified goes nowhere (%s), then all of it to the URL that is',
  async (state) => {
    const version = await world.endpoint(id, { maxInFlight: 1, retry: scheduleOf([5_000]) });
    await world.time.run(second);
    await world.worker();
    // The record of a new URL, as the api publishes it; and one that says so by the other field alone.
    const moved = { url: `https://moved.example/${id}` };
    await world.endpoint(id, { ...moved, state, awaitsVerification: true, revision: 2 });
    await world.time.run(second);
    for (let n = 0; n < 10; n += 1) await world.deliver(id, version);
    // Nor a test, which other endpoints get in any state.
    await world.deliver(id, version, { stream: 'test:1' });
    await world.time.run(10 * minute);
    expect(world.postsTo(id)).toEqual([]);
    await world.endpoint(id, { ...moved, requestOrigin: 'hooks.example.com', revision: 3 });
    await world.time.run(7 * minute);
    const posts = world.postsTo(id);
    expect(posts).toHaveLength(10);
    expect(new Set(posts.map(({ post }) => post.origin))).toEqual(new Set(['https://moved.example']));
    expect(posts.every(({ post }) => post.headers['webhook-request-origin'] === 'hooks.example.com')).toBe(true);
  },
);

it.each(['paused', 'active'] as const)(
  '1. what waits for an endpoint that is not verified is not taken up whenever another is changed (%s)',
  async (state) => {
    const version = await world.endpoint(id, { state, awaitsVerification: true });
    await world.worker();
    for (let n = 0; n < 10; n += 1) await world.deliver(id, version);
    await world.time.run(minute);
    const copies = (): number => world.topics.retry.reduce((sum, _, topic) => sum + world.copies(topic).length, 0);
    expect(copies()).toBe(10);
    for (let revision = 2; revision < 12; revision += 1) {
      await world.endpoint('ep_other', { revision });
      await world.time.run(5 * second);
    }
    expect(copies()).toBe(10);
  },
);
