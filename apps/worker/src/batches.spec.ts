// Real: the whole worker, signatures, the schema codec. Doubled: Kafka (in-memory log), HTTP (scripted), time (virtual).
// Facts: which events came in which POST, under which webhook-id, when; what stands in the log. Crashes: batch-crashes.spec.ts.
import { beforeEach, describe, expect, it } from 'vitest';
import { batchIdOf, parseSecret, scheduleOf, verifyWebhook } from '#libs/core';
import { secret, WorkerWorld, type Posted } from './testing/worker-world.js';

let world: WorkerWorld;
beforeEach(async () => {
  world = await WorkerWorld.open();
});

const second = 1_000;
const minute = 60 * second;
const batch = { maxEvents: 3, maxBytes: 100_000, maxWaitMs: 400 };
const structured = 'application/cloudevents+json; charset=UTF-8';

const eventsOf = ({ post }: Posted): string[] =>
  (JSON.parse(post.body.toString()) as { id: string }[]).map(({ id }) => id);
const batches = (): string[][] => world.posts.map(eventsOf);

async function deliver(count: number, version: number, changes: Parameters<WorkerWorld['deliver']>[2] = {}) {
  const events: string[] = [];
  for (let i = 0; i < count; i += 1)
    events.push(await world.deliver('ep_1', version, { contentType: structured, ...changes }));
  return events;
}

describe('an endpoint that asks for batches', () => {
  it('gets its events in one POST, with one signature, and each has its Attempt', async () => {
    const version = await world.endpoint('ep_1', { batch });
    await world.worker();
    const events = await deliver(3, version);
    await world.time.run(second);
    expect(batches()).toEqual([events]);
    const [{ post, at, webhookId }] = world.posts as [Posted];
    expect(post.headers['content-type']).toBe('application/cloudevents-batch+json; charset=utf-8');
    const { headers, body } = post;
    const [timestamp, signature] = [headers['webhook-timestamp'], headers['webhook-signature']];
    const request = { id: webhookId, timestamp, signature, body };
    expect(verifyWebhook([parseSecret(secret)], request, Math.floor(at / 1_000))).toEqual({ ok: true });
    const attempts = world.attempts();
    expect(webhookId).toBe(batchIdOf(attempts.map((one) => one.webhookId)));
    const places = attempts.map(({ eventId, batch: place, outcome, final, number }) => ({
      eventId,
      place,
      outcome,
      final,
      number,
    }));
    const rest = { outcome: 'delivered', final: true, number: 1 };
    expect(places).toEqual(
      events.map((eventId, place) => ({ eventId, place: { id: webhookId, size: 3, place }, ...rest })),
    );
    // One appended it as one record before it was sent.
    expect(world.copies(0)).toMatchObject([
      { webhookId, hop: 1, attempt: 0, members: [{ pos: 0 }, { pos: 1 }, { pos: 2 }] },
    ]);
    await world.worker();
    await world.time.run(minute);
    expect(world.posts).toHaveLength(1);
  });

  it('gets them by count, by bytes, or when the first has waited for long enough', async () => {
    const version = await world.endpoint('ep_1', { batch: { ...batch, maxBytes: 1_000 } });
    await world.worker();
    await world.time.run(second);
    const body = (bytes: number) => Buffer.from(JSON.stringify({ id: 'x'.repeat(bytes - 9) }));
    const sizes = () => world.posts.map(({ post }) => post.body.length);
    await deliver(4, version);
    const since = world.time.now();
    await world.time.run(350);
    expect(world.posts).toHaveLength(1);
    await world.time.run(second);
    expect(batches().map((one) => one.length)).toEqual([3, 1]);
    expect(world.posts[1]!.at - since).toBeGreaterThanOrEqual(400);
    expect(world.posts[1]!.at - since).toBeLessThan(450);
    // [a,b] has 1,000 bytes; the next has to be another one's.
    await deliver(1, version, { body: body(498) });
    await deliver(1, version, { body: body(499) });
    await deliver(1, version, { body: body(498) });
    await world.time.run(100);
    expect(sizes().slice(2)).toEqual([1_000]);
    await world.time.run(second);
    expect(sizes().slice(2)).toEqual([1_000, 500]);
    // One that is too large goes alone, at once.
    await deliver(1, version, { body: body(5_000) });
    await world.time.run(100);
    expect(sizes().slice(4)).toEqual([5_002]);
  });

  it('gets a batch in no more than a record has room for', async () => {
    const version = await world.endpoint('ep_1', { batch: { ...batch, maxBytes: 10_000_000 } });
    await world.worker();
    const body = Buffer.from(JSON.stringify({ id: 'x'.repeat(400_000) }));
    await deliver(3, version, { body });
    await world.time.run(second);
    expect(batches().map((one) => one.length)).toEqual([2, 1]);
  });

  it('gets events together that have the same headers, and those headers', async () => {
    const version = await world.endpoint('ep_1', { batch: { ...batch, maxEvents: 4 } });
    await world.worker();
    world.reactions.set('ep_1', (nth) => ({ status: nth === 1 ? 503 : 200 }));
    const [a, b] = await deliver(2, version, { headers: { 'x-shard': '1' } });
    const [c] = await deliver(1, version, { headers: { 'x-shard': '2' } });
    const [d] = await deliver(1, version, { headers: { 'x-shard': '1' } });
    await world.time.run(minute);
    const sent = world.posts.map((one) => [one.post.headers['x-shard'], eventsOf(one)]);
    expect(sent).toEqual([
      ['1', [a, b, d]],
      ['2', [c]],
      ['1', [a, b, d]],
    ]);
    expect(world.attempts().find(({ eventId }) => eventId === c)?.requestHeaders).toMatchObject({ 'x-shard': '2' });
  });

  it('gets alone what was made in the format `binary` before it asked for batches', async () => {
    const version = await world.endpoint('ep_1', { batch });
    await world.worker();
    const binary = (id: string) => ({ contentType: 'application/json; charset=utf-8', headers: { 'ce-id': id } });
    await deliver(1, version, binary('1'));
    await deliver(1, version, binary('2'));
    await deliver(1, version, { contentType: 'application/json; charset=utf-8' });
    await world.time.run(second);
    expect(world.posts.map(({ post }) => [post.headers['ce-id'], post.body.toString()])).toEqual([
      ['1', '{"id":"event-0"}'],
      ['2', '{"id":"event-1"}'],
      [undefined, '[{"id":"event-2"}]'],
    ]);
  });

  it('gets a failed one again whole, under the same id, until it is taken', async () => {
    const version = await world.endpoint('ep_1', { batch });
    await world.worker();
    world.reactions.set('ep_1', (nth) => ({ status: nth <= 2 ? 503 : 200 }));
    const events = await deliver(3, version);
    await world.time.run(3 * minute);
    expect(batches()).toEqual([events, events, events]);
    expect(new Set(world.posts.map(({ webhookId }) => webhookId)).size).toBe(1);
    expect(world.attempts().map(({ number, outcome }) => `${number} ${outcome}`)).toEqual(
      ['1 retry', '2 retry', '3 delivered'].flatMap((one) => [one, one, one]),
    );
    // Those that came meanwhile are not in it.
    const more = await deliver(1, version);
    await world.time.run(second);
    expect(batches().at(-1)).toEqual(more);
  });

  it('has each event as a dead letter of its own in the end', async () => {
    const version = await world.endpoint('ep_1', { batch });
    await world.worker();
    world.reactions.set('ep_1', () => ({ status: 500 }));
    const events = await deliver(3, version);
    await world.time.run(5 * minute);
    expect(world.posts).toHaveLength(3);
    const [letters, finals] = [world.deadLetters(), world.attempts().filter(({ final }) => final)];
    expect(letters.map(({ delivery }) => delivery.eventId)).toEqual(events);
    expect(
      letters.map(({ delivery: { attempt, pos, members, body } }) => ({ attempt, pos, members, body: String(body) })),
    ).toEqual(events.map((id, pos) => ({ attempt: 3, pos, members: null, body: JSON.stringify({ id }) })));
    expect(finals.map(({ eventId, outcome, number }) => [eventId, outcome, number])).toEqual(
      events.map((id) => [id, 'deadLetter', 3]),
    );
    await world.worker();
    await world.time.run(minute);
    expect(world.posts).toHaveLength(3);
  });

  it('gives all of it up at 410, and is left alone', async () => {
    const version = await world.endpoint('ep_1', { batch });
    await world.worker();
    world.reactions.set('ep_1', () => ({ status: 410 }));
    await deliver(4, version);
    await world.time.run(minute);
    expect(world.posts).toHaveLength(1);
    expect(world.attempts().map(({ outcome, deadLetterReason }) => [outcome, deadLetterReason])).toEqual(
      Array.from({ length: 3 }, () => ['disable', 'gone']),
    );
    expect(world.deadLetters()).toHaveLength(3);
  });

  it('gets what another event may not travel with alone: other forms, tests, what was sent alone before', async () => {
    const version = await world.endpoint('ep_1', { retry: scheduleOf([3 * second]) });
    await world.worker();
    world.reactions.set('ep_1', (nth) => ({ status: nth === 1 ? 503 : 200 }));
    const [before] = await deliver(1, version);
    await world.time.run(100);
    await world.endpoint('ep_1', { batch, retry: scheduleOf([3 * second]) });
    const [test] = await deliver(1, version, { stream: 'test:1' });
    const [text] = await deliver(1, version, { contentType: 'text/plain' });
    const standard = await deliver(2, version, { contentType: 'application/json' });
    const [unrendered] = await deliver(1, version, { body: null, renderError: 'it failed' });
    const events = await deliver(2, version);
    await world.time.run(5 * second);
    const sent = world.posts.map(({ post }) => [
      post.headers['content-type'],
      JSON.parse(String(post.body)) as unknown,
    ]);
    expect(sent).toEqual([
      [structured, { id: before }],
      [structured, { id: test }],
      ['text/plain', { id: text }],
      ['application/json', standard.map((id) => ({ id }))],
      ['application/cloudevents-batch+json; charset=utf-8', events.map((id) => ({ id }))],
      [structured, { id: before }],
    ]);
    expect(world.outcomes().get(unrendered ?? '')).toBe('deadLetter');
    expect(world.outcomes().size).toBe(8);
  });

  it('is sent batches that its rate and its in-flight limit count once', async () => {
    const rateLimit = { limit: 1, per: 'second', burst: 1 } as const;
    const version = await world.endpoint('ep_1', { batch, rateLimit, maxInFlight: 2 });
    await world.worker();
    await deliver(15, version);
    await world.time.run(2_900);
    expect(batches().map((one) => one.length)).toEqual([3, 3, 3]);
    world.reactions.set('ep_1', () => ({ status: 200, afterMs: 10 * second }));
    await world.endpoint('ep_1', { batch, maxInFlight: 2 });
    await world.time.run(5 * second);
    expect(world.posts).toHaveLength(5);
    await deliver(9, version);
    await world.time.run(2 * second);
    expect(world.posts).toHaveLength(5);
  });

  it('does not wait longer because its replays do, which have batches of their own', async () => {
    const version = await world.endpoint('ep_1', { batch: { ...batch, maxWaitMs: 5 * second } });
    const [one, other] = [await world.replay('replay:1'), await world.replay('replay:2')];
    await world.worker();
    const ofOne = await deliver(2, version, { stream: 'replay:1', configVersion: one });
    const live = await deliver(3, version);
    const ofOther = await deliver(3, version, { stream: 'replay:2', configVersion: other });
    await world.time.run(second);
    expect(batches()).toEqual([live, ofOther]);
    await world.time.run(5 * second);
    expect(batches().slice(2)).toEqual([ofOne]);
  });
});

describe('a batch in order', () => {
  const versionWith = (ordering: 'key' | 'endpoint') =>
    world.endpoint('ep_1', { batch: { ...batch, maxEvents: 4 }, ordering, maxInFlight: 4 });

  it.each(['key', 'endpoint'] as const)(
    '2. goes before what is ordered to it (%s), which waits while it is retried',
    async (ordering) => {
      const version = await versionWith(ordering);
      await world.worker();
      world.reactions.set('ep_1', (nth) => ({ status: nth === 1 ? 503 : 200 }));
      const keyed = async (key: string) => (await deliver(1, version, { ordering, orderingKey: key }))[0] ?? '';
      const first = [await keyed('a'), await keyed('b'), await keyed('a'), await keyed('b')];
      await world.time.run(second);
      const [a, c] = [await keyed('a'), await keyed('c')];
      await world.time.run(2 * second);
      // Another key's is not held up.
      expect(batches()).toEqual(ordering === 'key' ? [first, [c]] : [first]);
      await world.time.run(minute);
      expect(batches()).toEqual(ordering === 'key' ? [first, [c], first, [a]] : [first, first, [a, c]]);
      expect(world.posts[2]!.webhookId === world.posts[0]!.webhookId).toBe(ordering === 'key');
    },
  );

  it('2. has all that waits of a key, in its order, whatever else is ready', async () => {
    const version = await versionWith('key');
    await world.worker();
    const key = { ordering: 'key', orderingKey: 'a' } as const;
    const events = await deliver(3, version, key);
    const [other] = await deliver(1, version, { ordering: 'key', orderingKey: 'b' });
    await world.time.run(second);
    expect(batches()).toEqual([[...events, other]]);
  });

  it('2. leaves what follows one that ends alone for the next', async () => {
    const version = await versionWith('endpoint');
    await world.worker();
    const order = { ordering: 'endpoint' } as const;
    const [first] = await deliver(1, version, order);
    const [unrendered] = await deliver(1, version, { ...order, body: null });
    const rest = await deliver(2, version, order);
    await world.time.run(2 * second);
    expect(batches()).toEqual([[first], rest]);
    expect(world.attempts().map(({ eventId }) => eventId)).toEqual([first, unrendered, ...rest]);
  });

  it('is halted whole, and what is decided of one of its events is decided of all', async () => {
    const config = { batch, ordering: 'endpoint', onExhausted: 'halt', retry: scheduleOf([second]) } as const;
    const version = await world.endpoint('ep_1', config);
    await world.worker();
    world.reactions.set('ep_1', (nth) => ({ status: nth <= 2 || nth === 4 || nth === 5 ? 500 : 200 }));
    const events = await deliver(3, version, { ordering: 'endpoint' });
    const [behind] = await deliver(1, version, { ordering: 'endpoint' });
    await world.time.run(minute);
    expect(batches()).toEqual([events, events]);
    expect(
      world
        .attempts()
        .slice(3)
        .map(({ outcome, eventId }) => [outcome, eventId]),
    ).toEqual(events.map((id) => ['halted', id]));
    const at = world.time.now();
    const second_ = world.attempts()[1]!.deliveryId;
    await world.endpoint('ep_1', { ...config, resolutions: [{ deliveryId: second_, action: 'release', at }] });
    await world.time.run(10 * second);
    expect(batches().slice(2)).toEqual([events, [behind], [behind]]);
    expect(world.posts[2]!.webhookId).toBe(world.posts[0]!.webhookId);
    const third = world.attempts().at(-1)!.deliveryId;
    await world.endpoint('ep_1', {
      ...config,
      resolutions: [{ deliveryId: third, action: 'skip', at: world.time.now() }],
    });
    await world.time.run(10 * second);
    expect(world.deadLetters()).toMatchObject([{ reason: 'skipped', delivery: { eventId: behind } }]);
    expect(world.posts).toHaveLength(5);
  });

  it('is halted whole if any of its events has others behind it, whatever the first was made with', async () => {
    const config = { batch, ordering: 'key', onExhausted: 'halt', retry: scheduleOf([], { jitter: 0 }) } as const;
    const version = await world.endpoint('ep_1', config);
    await world.worker();
    world.reactions.set('ep_1', () => ({ status: 500 }));
    const events = await deliver(1, version, { ordering: 'none' });
    events.push(...(await deliver(2, version, { ordering: 'key', orderingKey: 'a' })));
    await deliver(1, version, { ordering: 'key', orderingKey: 'a' });
    await world.time.run(minute);
    expect(batches()).toEqual([events]);
    expect(world.attempts().map(({ outcome, eventId }) => [outcome, eventId])).toEqual(
      events.map((one) => ['halted', one]),
    );
    expect(world.deadLetters()).toEqual([]);
  });

  it('is halted so when its time is over, too', async () => {
    const retry = { ...scheduleOf([10 * second]), maxTotalMs: 15 * second };
    const config = { batch, ordering: 'key', onExhausted: 'halt', retry } as const;
    const version = await world.endpoint('ep_1', config);
    await world.worker();
    world.reactions.set('ep_1', () => ({ status: 500 }));
    const events = await deliver(1, version, { ordering: 'none' });
    events.push(...(await deliver(2, version, { ordering: 'key', orderingKey: 'a' })));
    await world.time.run(second);
    expect(batches()).toEqual([events]);
    await world.endpoint('ep_1', { ...config, state: 'paused' });
    await world.time.run(minute);
    await world.endpoint('ep_1', config);
    await world.time.run(10 * minute);
    const halted = world.attempts().filter(({ outcome }) => outcome === 'halted');
    expect(halted.map(({ eventId, error }) => [eventId, error?.kind])).toEqual(events.map((one) => [one, 'expired']));
    expect(world.deadLetters()).toEqual([]);
  });
});
