// Real: the whole worker, the schema codec, secrets and signatures. Doubled: Kafka (in-memory log), HTTP (scripted),
// time (virtual), randomness. Facts: with which signatures each POST came.
import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import type { EndpointSecret } from '#libs/contracts';
import {
  formatPrivateKey,
  formatSecret,
  parsePublicKey,
  parseSecret,
  publicKeyOf,
  reseal,
  sealEnvelope,
  verifyWebhook,
  type MasterKeys,
  type VerifyingKey,
} from '#libs/core';
import { WorkerWorld } from './testing/worker-world.js';

const second = 1_000;
const [one, two] = [randomBytes(32), randomBytes(32)];
const first: MasterKeys = new Map([[1, one]]);
const both: MasterKeys = new Map([
  [1, one],
  [2, two],
]);
const newest: MasterKeys = new Map([[2, two]]);
const [old, fresh] = [formatSecret(randomBytes(32)), formatSecret(randomBytes(32))];

let world: WorkerWorld;
beforeEach(async () => {
  world = await WorkerWorld.open();
});

const sealed = (keys: MasterKeys, secret: string, expiresAt: number | null = null): EndpointSecret => ({
  secretId: secret.slice(0, 12),
  ciphertext: sealEnvelope(keys, secret, 'ep_1', randomBytes),
  expiresAt,
});
/** Whether each POST verifies with one of the keys alone, and how many signatures it bears. */
const verified = (key: VerifyingKey) =>
  world.posts.map(({ post: { headers, body }, at }) => {
    const [id, timestamp, signature] = ['id', 'timestamp', 'signature'].map((name) => headers[`webhook-${name}`]);
    return verifyWebhook([key], { id, timestamp, signature, body }, Math.floor(at / 1_000)).ok;
  });
const versions = () =>
  world.posts.map(({ post }) => post.headers['webhook-signature']?.split(' ').map((text) => text.split(',')[0]));

describe('what the worker signs with', () => {
  it('are all secrets in force: the old one until it expires, retries included', async () => {
    const expiresAt = world.time.now() + 10 * second;
    const version = await world.endpoint('ep_1', { secrets: [sealed(first, fresh), sealed(first, old, expiresAt)] });
    world.reactions.set('ep_1', (nth) => ({ status: nth === 2 ? 500 : 200 }));
    await world.worker({ masterKeys: first });
    await world.deliver('ep_1', version);
    await world.time.run(9 * second);
    await world.deliver('ep_1', version);
    await world.time.run(10 * second);
    expect(world.posts).toHaveLength(3);
    expect(verified(parseSecret(fresh))).toEqual([true, true, true]);
    expect(verified(parseSecret(old))).toEqual([true, true, false]);
    expect(versions()).toEqual([['v1', 'v1'], ['v1', 'v1'], ['v1']]);
  });

  it('are key pairs too, which sign as v1a', async () => {
    const pair = formatPrivateKey(randomBytes(32));
    const version = await world.endpoint('ep_1', { secrets: [sealed(first, pair), sealed(first, old)] });
    await world.worker({ masterKeys: first });
    await world.deliver('ep_1', version);
    await world.time.run(second);
    expect(versions()).toEqual([['v1a', 'v1']]);
    expect(verified(parsePublicKey(publicKeyOf(pair)))).toEqual([true]);
    expect(verified(parseSecret(old))).toEqual([true]);
  });
});

describe('a new master key', () => {
  it('changes nothing for who receives, before, while and after secrets are sealed anew', async () => {
    const before = sealed(first, old);
    const after = { ...before, ciphertext: reseal(both, before.ciphertext, 'ep_1', randomBytes) };
    let version = await world.endpoint('ep_1', { secrets: [before] });
    const worker = await world.worker({ masterKeys: both });
    await world.deliver('ep_1', version);
    await world.time.run(second);
    version = await world.endpoint('ep_1', { secrets: [after] });
    await world.deliver('ep_1', version);
    await world.time.run(second);
    await worker.kill();
    const later = await world.worker({ masterKeys: newest });
    await world.deliver('ep_1', version);
    await world.time.run(10 * second);
    expect(verified(parseSecret(old))).toEqual([true, true, true]);
    // The record that was replaced needs the old key, which nobody has any more.
    expect([worker.alarms, later.alarms]).toEqual([[], []]);
  });

  it('that a worker lacks makes the deliveries wait for it, with an alarm', async () => {
    const version = await world.endpoint('ep_1', { secrets: [sealed(both, old)] });
    const worker = await world.worker({ masterKeys: first });
    await world.deliver('ep_1', version);
    await world.time.run(10 * second);
    expect([world.posts.length, worker.alarms.length]).toEqual([0, 1]);
    await worker.kill();
    await world.worker({ masterKeys: both });
    await world.time.run(60 * second);
    expect(verified(parseSecret(old))).toEqual([true]);
  });
});
