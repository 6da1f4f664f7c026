// Real: the whole worker, the schema codec, secrets and signatures. Doubled: Kafka (in-memory log), HTTP (scripted),
// time (virtual), randomness. Facts: what was POSTed and when, what stands in the log, what was committed.
import { beforeEach, describe, expect, it } from 'vitest';
import { parseSecret, scheduleOf, verifyWebhook } from '#libs/core';
import { secret, WorkerWorld } from './testing/worker-world.js';

let world: WorkerWorld;
beforeEach(async () => {
  world = await WorkerWorld.open();
});

const second = 1_000;
const minute = 60 * second;
/** For tests over days, in which nobody looks at what is done each second. */
const rarely = {
  commitEveryMs: 10 * minute,
  reportEveryMs: 60 * minute,
  statusEveryMs: 60 * minute,
  secureAfterMs: 10 * 60 * minute,
  idleSpacesEveryMs: 60 * minute,
};

describe('the delivery worker', () => {
  it('signs and POSTs a delivery once, appends its final Attempt, and commits', async () => {
    const version = await world.endpoint('ep_1', { url: 'http://receiver.test/ep_1' });
    await world.worker();
    const event = await world.deliver('ep_1', version, { headers: { 'x-format': 'v1' } });
    await world.time.run(second);
    const [posted] = world.posts;
    expect(world.posts).toHaveLength(1);
    const { headers, body, origin, path } = posted!.post;
    expect({ origin, path }).toEqual({ origin: 'http://receiver.test', path: '/ep_1' });
    expect(headers).toMatchObject({
      'content-type': 'application/cloudevents+json',
      'user-agent': 'Posthorn/0.1',
      'x-format': 'v1',
    });
    const request = {
      id: headers['webhook-id'],
      timestamp: headers['webhook-timestamp'],
      signature: headers['webhook-signature'],
      body,
    };
    expect(verifyWebhook([parseSecret(secret)], request, Math.floor(posted!.at / 1_000))).toEqual({ ok: true });
    expect(world.attempts()).toMatchObject([
      {
        eventId: event,
        number: 1,
        outcome: 'delivered',
        final: true,
        pos: 0,
        configVersion: version,
        url: 'http://receiver.test/ep_1',
      },
    ]);
    expect(world.attempts()[0]?.response).toMatchObject({ status: 200, body: Buffer.from('answer') });
    // A worker that takes over finds nothing to do.
    await world.worker();
    await world.time.run(minute);
    expect(world.posts).toHaveLength(1);
  });

  it('invariant 6: tries again when it is due, by an exact timer where the retry topic would be late, then delivers', async () => {
    const version = await world.endpoint('ep_1');
    await world.worker();
    world.random = 0.1; // 5 s - 16 % = 4.2 s, less than the shortest topic's delay; then 60 s - 16 % = 50.4 s.
    world.reactions.set('ep_1', (nth) => ({ status: nth < 3 ? 503 : 200 }));
    const event = await world.deliver('ep_1', version);
    await world.time.run(2 * minute);
    const [first, second_, third, ...more] = world.posts;
    expect(more).toEqual([]);
    expect(second_!.at - first!.at).toBeGreaterThanOrEqual(4_200);
    expect(second_!.at - first!.at).toBeLessThan(4_220);
    expect(third!.at - second_!.at).toBeGreaterThanOrEqual(50_400);
    expect(third!.at - second_!.at).toBeLessThan(50_500);
    expect(new Set(world.posts.map((one) => one.webhookId)).size).toBe(1);
    expect(world.attempts().map(({ number, outcome, final }) => ({ number, outcome, final }))).toEqual([
      { number: 1, outcome: 'retry', final: false },
      { number: 2, outcome: 'retry', final: false },
      { number: 3, outcome: 'delivered', final: true },
    ]);
    expect(world.outcomes().get(event)).toBe('delivered');
    expect(await everythingCommitted()).toBe(true);
  });

  it('becomes a dead letter at the end, before its final Attempt', async () => {
    const version = await world.endpoint('ep_1');
    await world.worker();
    world.reactions.set('ep_1', () => ({ status: 500 }));
    const event = await world.deliver('ep_1', version);
    await world.time.run(5 * minute);
    expect(world.posts).toHaveLength(3);
    expect(world.attempts().map((one) => one.outcome)).toEqual(['retry', 'retry', 'deadLetter']);
    expect(world.attempts().at(-1)).toMatchObject({ final: true, deadLetterReason: 'exhausted', number: 3 });
    expect(world.deadLetters()).toMatchObject([
      { reason: 'exhausted', lastStatus: 500, delivery: { eventId: event, attempt: 3, pos: 0 } },
    ]);
    expect(await everythingCommitted()).toBe(true);
  });

  it.each([
    ['410', { status: 410 }, 'disable', 'gone'],
    ['a request that cannot be made', { error: 'undeliverable' as const }, 'deadLetter', 'undeliverable'],
  ])('gives up at once at %s', async (_, reaction, outcome, reason) => {
    const version = await world.endpoint('ep_1');
    await world.worker();
    world.reactions.set('ep_1', () => reaction);
    await world.deliver('ep_1', version);
    await world.time.run(second);
    expect(world.attempts()).toMatchObject([{ outcome, final: true, deadLetterReason: reason }]);
    expect(world.deadLetters()).toMatchObject([{ reason }]);
  });

  it.each([
    [null, 'transformation', 'transformation'],
    ['transformation', 'transformation', 'transformation'],
    ['version', 'version', 'undeliverable'],
    ['too-large', 'too-large', 'undeliverable'],
  ])(
    'makes no POST of what has no body (%s): an Attempt of that kind and a dead letter',
    async (renderKind, kind, reason) => {
      const version = await world.endpoint('ep_1');
      await world.worker();
      await world.deliver('ep_1', version, { body: null, renderError: 'line 3 has a fault', renderKind });
      await world.time.run(second);
      expect(world.posts).toEqual([]);
      expect(world.attempts()).toMatchObject([
        { number: 0, outcome: 'deadLetter', deadLetterReason: reason, error: { kind, message: 'line 3 has a fault' } },
      ]);
      expect(world.deadLetters()).toMatchObject([{ reason, lastError: `${kind}: line 3 has a fault` }]);
    },
  );

  it('makes no POST of what a transformation failed on, which the dead letter keeps', async () => {
    const version = await world.endpoint('ep_1', { batch: { maxEvents: 10, maxBytes: 10_000, maxWaitMs: 0 } });
    await world.worker();
    const body = Buffer.from('{"untransformed":true}');
    await world.deliver('ep_1', version, { body, renderError: 'threw: no', renderKind: 'transformation' });
    await world.time.run(second);
    expect(world.posts).toEqual([]);
    expect(world.deadLetters()).toMatchObject([{ reason: 'transformation', delivery: { body } }]);
  });

  it('sends the endpoint’s own headers, in place of none of its own', async () => {
    const headers = { authorization: 'Bearer of-the-receiver', 'x-format': 'of the endpoint', 'user-agent': 'another' };
    const version = await world.endpoint('ep_1', { headers });
    await world.worker();
    await world.deliver('ep_1', version, { headers: { 'x-format': 'v1' } });
    await world.time.run(second);
    const sent = world.posts[0]?.post.headers;
    expect(sent).toMatchObject({
      authorization: 'Bearer of-the-receiver',
      'x-format': 'v1',
      'user-agent': 'Posthorn/0.1',
    });
    expect(world.attempts()[0]?.requestHeaders).toEqual(sent);
  });

  it('sends bodies of 1 KiB and more gzipped where the endpoint asks for it, signed as they are without', async () => {
    const version = await world.endpoint('ep_1', { compression: 'gzip' });
    await world.worker();
    await world.deliver('ep_1', version, { body: Buffer.alloc(1_023, 'a') });
    await world.deliver('ep_1', version, { body: Buffer.alloc(1_024, 'a') });
    await world.time.run(second);
    const sent = world.posts.map(({ post }) => [post.body.length, post.encoding, post.headers['content-encoding']]);
    expect(sent).toEqual([
      [1_023, 'identity', undefined],
      [1_024, 'gzip', 'gzip'],
    ]);
    const { headers, body } = world.posts[1]!.post;
    const signature = headers['webhook-signature'];
    const request = { id: headers['webhook-id'], timestamp: headers['webhook-timestamp'], signature, body };
    expect(verifyWebhook([parseSecret(secret)], request, Math.floor(world.posts[1]!.at / 1_000))).toEqual({ ok: true });
    expect(world.attempts()[1]?.requestHeaders).toMatchObject({ 'content-encoding': 'gzip' });
  });

  it('obeys Retry-After', async () => {
    const version = await world.endpoint('ep_1');
    await world.worker();
    world.reactions.set('ep_1', (nth) =>
      nth === 1 ? { status: 429, headers: { 'retry-after': '120' } } : { status: 200 },
    );
    await world.deliver('ep_1', version);
    await world.time.run(4 * minute);
    const [first, retry] = world.posts;
    expect(retry!.at - first!.at).toBeGreaterThanOrEqual(2 * minute);
    expect(retry!.at - first!.at).toBeLessThan(2 * minute + 200);
  });

  it('invariant 6: waits for hours and days over the retry topics, to the second', async () => {
    const hour = 60 * minute;
    const delaysMs = [7 * second, 45 * second, 4 * minute, 5 * hour, 72 * hour];
    const version = await world.endpoint('ep_1', { retry: scheduleOf(delaysMs, { maxDelayMs: hour }) });
    await world.worker(rarely);
    world.reactions.set('ep_1', (nth) => ({ status: nth <= delaysMs.length ? 500 : 200 }));
    await world.deliver('ep_1', version);
    await world.time.run(78 * hour);
    const waits = world.posts.slice(1).map((one, index) => one.at - (world.posts[index]?.at ?? 0));
    expect(
      waits.map((wait, index) => wait >= (delaysMs[index] ?? 0) && wait <= (delaysMs[index] ?? 0) + second),
    ).toEqual(delaysMs.map(() => true));
    expect(world.attempts().at(-1)?.outcome).toBe('delivered');
  }, 30_000);

  it.each([
    ['5 hours', 5 * 60],
    ['3 days', 3 * 24 * 60],
    ['30 days', 30 * 24 * 60],
  ])(
    'invariant 6: waits for %s, over a stop of a week, and loses nothing',
    async (_, minutes) => {
      const wait = minutes * minute;
      const version = await world.endpoint('ep_1', { retry: scheduleOf([wait], { maxDelayMs: wait }) });
      const first = await world.worker(rarely);
      world.reactions.set('ep_1', (nth) => ({ status: nth <= 5 ? 500 : 200 }));
      for (let i = 0; i < 5; i += 1) await world.deliver('ep_1', version);
      const sentAt = world.time.now();
      await world.time.run(wait / 2);
      await world.time.during(first.consumer.stop());
      const week = 7 * 24 * 60 * minute;
      await world.time.run(week);
      const second_ = await world.worker(rarely);
      await world.time.run(wait);
      const retries = world.posts.slice(5).map((one) => one.at - sentAt);
      expect(retries).toHaveLength(5);
      // Nobody could send while all were stopped; after that it is there within the topics' turns.
      const due = Math.max(wait, wait / 2 + week);
      expect(retries.map((at) => at >= wait && at <= due * 1.1 + second)).toEqual(retries.map(() => true));
      expect([...world.outcomes().values()]).toEqual(Array.from({ length: 5 }, () => 'delivered'));
      expect(second_.alarms).toEqual([]);
    },
    30_000,
  );

  it.each(['of a neighbour', 'of its own'])(
    'invariant 6: a flood at a healthy endpoint holds up no retry %s',
    async (whose) => {
      const [flooded, neighbour] = [world.idIn(1, 0), world.idIn(1, 1)];
      const retry = scheduleOf([6 * second]);
      const version = await world.endpoint(flooded, { maxInFlight: 16, adaptiveConcurrency: false, retry });
      const also = await world.endpoint(neighbour, { retry });
      const failing = whose === 'of its own' ? flooded : neighbour;
      world.reactions.set(flooded, (nth) => ({ status: failing === flooded && nth === 1 ? 500 : 200, afterMs: 200 }));
      world.reactions.set(neighbour, (nth) => ({ status: nth === 1 ? 500 : 200 }));
      await world.deliver(neighbour, also);
      for (let i = 0; i < 1_500; i += 1) await world.deliver(flooded, version);
      await world.worker({ laneRecords: 100 });
      await world.time.run(9 * second);
      const [first] = world.postsTo(failing);
      const posts = world.postsTo(failing).filter((one) => one.webhookId === first?.webhookId);
      expect(posts).toHaveLength(2);
      expect(posts[1]!.at - posts[0]!.at).toBeGreaterThanOrEqual(6 * second);
      expect(posts[1]!.at - posts[0]!.at).toBeLessThan(7_600);
      // The flood was still on.
      expect(world.postsTo(flooded).length).toBeLessThan(1_000);
    },
    30_000,
  );

  it('lets what exceeds the bound of an endpoint wait in longer turns', async () => {
    const id = world.idIn(1);
    const version = await world.endpoint(id);
    await world.worker({ laneRecords: 10, endpointMaxOutstanding: 30 });
    world.reactions.set(id, () => 'hang');
    for (let i = 0; i < 4; i += 1) await world.deliver(id, version);
    await world.time.run(2 * second);
    for (let i = 4; i < 100; i += 1) await world.deliver(id, version);
    await world.time.run(100);
    const [fiveSeconds, halfMinute, fiveMinutes] = [0, 1, 2].map((topic) => world.copies(topic).length);
    expect(fiveSeconds! + halfMinute!).toBeLessThanOrEqual(30);
    expect(fiveMinutes).toBe(100 - 30);
  });

  it('gives retries a quarter of the appends while first attempts wait', async () => {
    const [busy, failing] = [world.idIn(1, 0), world.idIn(1, 1)];
    const version = await world.endpoint(busy, { maxInFlight: 16, adaptiveConcurrency: false });
    const off = {
      consecutiveFailures: 1e6,
      failureShare: 1,
      minRequests: 1e6,
      windowMs: 1e3,
      openMs: 1e3,
      maxOpenMs: 1e3,
    };
    const retry = scheduleOf([6 * second]);
    const also = await world.endpoint(failing, { maxInFlight: 64, adaptiveConcurrency: false, circuit: off, retry });
    let up = false;
    world.reactions.set(busy, () => ({ status: 200, afterMs: 20 }));
    world.reactions.set(failing, () => ({ status: up ? 200 : 400 }));
    await world.worker({ laneRecords: 10_000, maxInFlight: 2 });
    for (let i = 0; i < 200; i += 1) await world.deliver(failing, also);
    await world.time.run(4 * second);
    up = true;
    for (let i = 0; i < 600; i += 1) await world.deliver(busy, version);
    // By then what was saved up before they were due is spent.
    await world.time.run(3_600);
    const before = world.attempts().length;
    await world.time.run(2 * second);
    expect(world.postsTo(busy).length).toBeLessThan(600);
    const during = world.attempts().slice(before);
    const old = during.filter(({ number }) => number > 1).length;
    expect(during.filter(({ number }) => number === 1).length).toBeGreaterThan(150);
    // One for each three, no less and no more, but for what one look at the topic takes at once.
    expect(Math.abs(old - (during.length - old) / 3)).toBeLessThan(8);
  });

  it('commits past what waits long in its lane: behind a rate, or behind a head that is retried', async () => {
    const [limited, ordered, quick] = [world.idIn(1, 0), world.idIn(1, 1), world.idIn(1, 2)];
    await world.endpoint(limited, { rateLimit: { limit: 1, per: 'minute', burst: 1 } });
    await world.endpoint(ordered, { ordering: 'key', retry: scheduleOf([60 * minute]) });
    const version = await world.endpoint(quick);
    world.reactions.set(ordered, (nth) => ({ status: nth === 1 ? 500 : 200 }));
    const worker = await world.worker();
    for (let i = 0; i < 30; i += 1) {
      await world.deliver(limited, version);
      await world.deliver(ordered, version, { ordering: 'key', orderingKey: 'a' });
      await world.deliver(quick, version, { floor: 3 * i });
    }
    await world.time.run(3.5 * minute);
    const at = { topic: world.topics.deliveries, partition: 1 };
    const [commit] = await world.log.administration().committed('posthorn.worker', [at]);
    expect(commit?.offset).toBe(90);
    // They did not leave their lanes for it, and are sent once.
    expect(world.postsTo(limited).length).toBeGreaterThanOrEqual(3);
    await worker.kill();
    await world.worker();
    await world.time.run(100 * minute);
    expect([...world.outcomes().values()]).toEqual(Array.from({ length: 90 }, () => 'delivered'));
    expect(world.posts).toHaveLength(91);
    const order = world.attempts().filter((one) => one.endpointId === ordered && one.final);
    expect(order.map(({ pos }) => pos)).toEqual(order.map(({ pos }) => pos).toSorted((a, b) => a - b));
  }, 30_000);

  it('invariant 5: spills a full lane to the shortest retry topic; its neighbour in the same partition does not notice', async () => {
    const [flooded, neighbour] = [world.idIn(1, 0), world.idIn(1, 1)];
    await world.endpoint(flooded);
    const version = await world.endpoint(neighbour);
    await world.worker({ laneRecords: 10, maxInFlight: 8 });
    world.reactions.set(flooded, (nth) => (nth <= 4 ? 'hang' : { status: 200 }));
    for (let i = 0; i < 4; i += 1) await world.deliver(flooded, version);
    await world.time.run(2 * second);
    for (let i = 4; i < 50; i += 1) await world.deliver(flooded, version);
    const sentAt = world.time.now();
    await world.deliver(neighbour, version);
    await world.time.run(100);
    expect(world.postsTo(neighbour).map((one) => one.at - sentAt < 20)).toEqual([true]);
    // It is not moving: what finds no room looks again in half a minute.
    expect(world.copies(1)).toHaveLength(50 - 4 - 10);
    expect(world.copies(1)[0]).toMatchObject({ hop: 1, attempt: 0, dueAt: null, pos: 14 });
    expect(world.attempts().filter((one) => one.endpointId === flooded)).toEqual([]);
    await world.time.run(5 * minute);
    expect([...world.outcomes().values()].filter((outcome) => outcome === 'delivered')).toHaveLength(51);
    expect(world.postsTo(flooded)).toHaveLength(50 + 4);
    expect(await everythingCommitted()).toBe(true);
  });

  it('sends what it read on to at once, when an endpoint that it waited for turns out to hang', async () => {
    const [hanging, neighbour] = [world.idIn(1, 0), world.idIn(1, 1)];
    await world.endpoint(hanging);
    const version = await world.endpoint(neighbour);
    world.reactions.set(hanging, () => 'hang');
    for (let i = 0; i < 12; i += 1) await world.deliver(hanging, version);
    await world.deliver(neighbour, version);
    await world.worker({ laneRecords: 10 });
    const startedAt = world.time.now();
    await world.time.run(10 * second);
    expect(world.copies(0)).toEqual([]);
    expect(world.postsTo(neighbour).map((one) => one.at - startedAt < second)).toEqual([true]);
  });

  it('reads more slowly, instead of spilling, what an endpoint takes as fast as it comes', async () => {
    const id = world.idIn(3);
    const version = await world.endpoint(id);
    for (let i = 0; i < 600; i += 1) await world.deliver(id, version);
    await world.worker({ laneRecords: 50 });
    await world.time.run(5 * second);
    expect(world.outcomes().size).toBe(600);
    expect(world.posts).toHaveLength(600);
    expect(world.copies(0)).toEqual([]);
    expect(await everythingCommitted()).toBe(true);
  });

  it('never has more POSTs on their way than the endpoint and the worker allow, and serves lanes in turn', async () => {
    const ids = [world.idIn(0), world.idIn(1)];
    let version = 0;
    for (const id of ids) version = await world.endpoint(id, { maxInFlight: 3 });
    await world.worker({ maxInFlight: 5 });
    const running = new Map<string, number>();
    let most = 0;
    let mostOfOne = 0;
    for (const id of ids) {
      world.reactions.set(id, () => {
        running.set(id, (running.get(id) ?? 0) + 1);
        most = Math.max(
          most,
          [...running.values()].reduce((sum, one) => sum + one, 0),
        );
        mostOfOne = Math.max(mostOfOne, running.get(id) ?? 0);
        world.time.schedule(10, () => running.set(id, (running.get(id) ?? 0) - 1));
        return { status: 200, afterMs: 10 };
      });
    }
    for (let i = 0; i < 60; i += 1) await world.deliver(ids[i % 2] ?? '', version);
    await world.time.run(second);
    expect({ most, mostOfOne }).toEqual({ most: 5, mostOfOne: 3 });
    expect(world.outcomes().size).toBe(60);
  });

  it('drops what belongs to a deleted endpoint, with a final Attempt that says so', async () => {
    const version = await world.endpoint('ep_1');
    await world.deleteEndpoint('ep_1');
    await world.worker();
    await world.deliver('ep_1', version);
    await world.time.run(second);
    expect(world.posts).toEqual([]);
    expect(world.attempts()).toMatchObject([{ outcome: 'dropped', final: true, number: 0, url: '' }]);
    expect(await everythingCommitted()).toBe(true);
  });

  it.each(['paused', 'disabled'] as const)(
    'holds what is for a %s endpoint without burning attempts',
    async (state) => {
      await world.endpoint('ep_1', { state });
      const worker = await world.worker();
      const event = await world.deliver('ep_1', 0);
      await world.time.run(12 * minute);
      expect(world.posts).toEqual([]);
      expect(world.attempts()).toEqual([]);
      expect(world.copies(2).map((one) => one.attempt)).toEqual([0, 0, 0]);
      await world.endpoint('ep_1');
      await world.time.run(100);
      // It does not wait until its copy comes round.
      expect(world.outcomes().get(event)).toBe('delivered');
      expect(worker.alarms).toEqual([]);
    },
  );

  it('holds the lane, not the partition, until the configuration that a delivery was made with is read', async () => {
    const [early, other] = [world.idIn(1, 0), world.idIn(1, 1)];
    const version = await world.endpoint(other);
    await world.worker();
    await world.deliver(early, version + 1);
    await world.deliver(other, version);
    await world.time.run(10 * second);
    expect(world.posts.map((one) => one.endpointId)).toEqual([other]);
    await world.endpoint(early);
    await world.time.run(10);
    expect(world.posts.map((one) => one.endpointId)).toEqual([other, early]);
  });

  it('waits, with an alarm, where a configuration cannot be used: that is not a deletion', async () => {
    const version = await world.endpoint('ep_1', {
      secrets: [{ secretId: 's1', ciphertext: 'v9.AAAA', expiresAt: null }],
    });
    const { alarms } = await world.worker();
    const event = await world.deliver('ep_1', version);
    await world.time.run(second);
    expect(alarms).toHaveLength(1);
    expect(world.attempts()).toEqual([]);
    await world.endpoint('ep_1');
    await world.time.run(6 * minute);
    expect(world.outcomes().get(event)).toBe('delivered');
  });

  it('stops a partition at a record that it cannot read, rather than skipping it', async () => {
    const [id, elsewhere] = [world.idIn(1), world.idIn(2)];
    await world.endpoint(id);
    const version = await world.endpoint(elsewhere);
    const { alarms, consumer } = await world.worker();
    const before = await world.deliver(id, version);
    await world.append(world.topics.deliveries, 1, id, Buffer.from('nonsense'));
    await world.deliver(id, version);
    await world.deliver(elsewhere, version);
    await world.time.run(second);
    expect(alarms).toHaveLength(1);
    expect(() => consumer.check()).toThrow(/stopped/);
    expect([...world.outcomes().keys()]).toContain(before);
    expect(world.posts.map((one) => one.endpointId)).toEqual([id, elsewhere]);
    const next = await world.worker();
    await world.time.during(consumer.stop());
    await world.time.run(second);
    expect(next.alarms).toHaveLength(1);
    expect(world.posts).toHaveLength(2);
  });

  /** A new worker has nothing to read: no POST, no Attempt, also after the retry topics have given back what they have. */
  async function everythingCommitted(): Promise<boolean> {
    await world.time.run(second);
    const before = world.posts.length + world.attempts().length;
    await world.worker();
    await world.time.run(10 * minute);
    return world.posts.length + world.attempts().length === before;
  }
});
