import { beforeAll, describe, expect, it } from 'vitest';
import type { Attempt, Delivery } from '#libs/contracts';
import type { PostResult } from '#libs/core';
import { attemptOf, type Trial } from './attempt.js';
import type { Entry } from './owned-partition.js';
import { WorkerWorld } from './testing/worker-world.js';

let world: WorkerWorld;
let delivery: Delivery;
beforeAll(async () => {
  world = await WorkerWorld.open();
  await world.deliver('ep_1', 3);
  const [record] = world.log.recordsOf(world.topics.deliveries);
  delivery = world.codecs.delivery.decode(record?.value ?? Buffer.alloc(0));
});

const signed = {
  'webhook-id': 'msg_b',
  'webhook-timestamp': '1',
  'webhook-signature': 'v1,x',
  'content-type': 'application/json',
};
const trial: Trial = {
  endpoint: null,
  startedAt: 0,
  post: {
    origin: 'http://receiver.test',
    path: '/',
    headers: { ...Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`x-${n}`, 'x'.repeat(400)])), ...signed },
    body: Buffer.alloc(0),
    encoding: 'identity',
    credential: null,
    timeoutMs: 1,
  },
};
const result: PostResult = {
  kind: 'response',
  status: 200,
  headers: { b: 'x', a: 'x'.repeat(3_000) },
  body: Buffer.alloc(4_096, 'y'),
  truncated: false,
  durationMs: 1,
};

const told = (batch: Attempt['batch']): Attempt => {
  // What an Attempt tells of an entry.
  const entry = { id: 'd', pos: 1 } as unknown as Entry;
  return attemptOf({ entry, delivery, batch }, trial, result, { outcome: 'delivered', final: true }, 'worker-1');
};

describe('an Attempt of a batch', () => {
  it('tells all of request and answer once, and of each other member what a thousand have room for', () => {
    const alone = told(null);
    const [first, second] = [0, 1].map((place) => told({ id: 'msg_b', size: 1_000, place }));
    expect(first).toEqual({ ...alone, batch: { id: 'msg_b', size: 1_000, place: 0 } });
    expect(alone.response).toEqual({ status: 200, headers: result.headers, body: result.body, truncated: false });
    expect(second?.response).toEqual({ status: 200, headers: { b: 'x' }, body: Buffer.from('yyyy'), truncated: true });
    expect(second?.requestHeaders).toEqual(signed);
    // All of them fit into a few sends.
    expect(world.codecs.attempt.encode(second!).length * 1_000).toBeLessThan(600_000);
  });
});
