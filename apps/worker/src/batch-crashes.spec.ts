// Real: the whole worker, several of them. Doubled: Kafka (in-memory log), HTTP (scripted), time (virtual). Facts: what the
// receiver was sent under which id, and what stands in the log, when a worker ends at each step of docs/delivery-state.md.
import { beforeEach, describe, expect, it } from 'vitest';
import { decodeCommitMetadata, scheduleOf } from '#libs/core';
import type { OutgoingRecord } from '#libs/kafka';
import { WorkerWorld, type Posted, type TestWorker } from './testing/worker-world.js';

let world: WorkerWorld;
let id: string;
beforeEach(async () => {
  world = await WorkerWorld.open();
  id = world.idIn(1);
});

const second = 1_000;
const minute = 60 * second;
const batch = { maxEvents: 3, maxBytes: 100_000, maxWaitMs: 200 };
const roomy = { laneRecords: 1_000, laneBytes: 10_000_000 };
const structured = 'application/cloudevents+json; charset=UTF-8';

const eventsOf = ({ post }: Posted): string[] =>
  (JSON.parse(post.body.toString()) as { id: string }[]).map((one) => one.id);
const batches = (): string[][] => world.posts.map(eventsOf);
const ids = (): string[] => world.posts.map(({ webhookId }) => webhookId);

async function deliver(count: number, version: number, changes: Parameters<WorkerWorld['deliver']>[2] = {}) {
  const events: string[] = [];
  for (let i = 0; i < count; i += 1)
    events.push(await world.deliver(id, version, { contentType: structured, ...changes }));
  return events;
}

const isFor = (topic: string) => (records: readonly OutgoingRecord[]) => records.some((one) => one.topic === topic);
const retryTopic = (index: number): string => world.topics.retry[index]?.name ?? '';

async function committed() {
  const at = { topic: world.topics.deliveries, partition: 1 };
  const [commit] = await world.log.administration().committed('posthorn.worker', [at]);
  return { offset: commit?.offset ?? -1, ...decodeCommitMetadata(commit?.metadata ?? '') };
}

/** Everything is settled: the next owner has nothing to do. */
async function mustBeThrough(): Promise<void> {
  const posts = world.posts.length;
  await world.time.run(minute);
  const { offset, retries } = await committed();
  expect(offset).toBe(world.log.recordsOf(world.topics.deliveries).filter(({ partition }) => partition === 1).length);
  for (const { name, delayMs } of world.topics.retry) {
    const end = world.log.recordsOf(name).filter(({ partition }) => partition === 1).length;
    expect([name, retries.get(delayMs)?.position]).toEqual([name, end]);
  }
  await world.worker();
  await world.time.run(minute);
  expect(world.posts).toHaveLength(posts);
}

async function heir(of: TestWorker): Promise<TestWorker> {
  await of.kill();
  world.appendDelay = () => 0;
  return world.worker();
}

describe('a worker that ends with a batch', () => {
  it('1. that waits: nothing was promised', async () => {
    const version = await world.endpoint(id, { batch: { ...batch, maxWaitMs: 10 * second } });
    const first = await world.worker();
    const events = await deliver(2, version);
    await world.time.run(second);
    await heir(first);
    events.push(...(await deliver(1, version)));
    await world.time.run(second);
    expect(batches()).toEqual([events]);
    await mustBeThrough();
  });

  it('2. whose record does not stand: another is formed, and nothing was POSTed', async () => {
    const version = await world.endpoint(id, { batch });
    const first = await world.worker();
    world.appendDelay = (records) => (isFor(retryTopic(0))(records) ? Infinity : 0);
    const events = await deliver(3, version);
    await world.time.run(second);
    expect(world.posts).toEqual([]);
    await heir(first);
    await world.time.run(second);
    expect(batches()).toEqual([events]);
    await mustBeThrough();
  });

  it('2. whose record stands, and was not acknowledged: it is that batch', async () => {
    const version = await world.endpoint(id, { batch, maxInFlight: 1 });
    const first = await world.worker();
    const events = await deliver(3, version);
    await world.time.run(second);
    const [record] = world.copies(0);
    // As if it had been appended and never heard of: another worker, whose fence comes later, finds it.
    await first.kill();
    world.posts.length = 0;
    const others = await deliver(1, version);
    const value = world.codecs.delivery.encode({
      ...record!,
      webhookId: 'msg_of-the-record',
      sourceOffset: 3,
      members: [
        { ...record!.members![0]!, sourceOffset: 3, pos: 3, eventId: others[0]!, body: Buffer.from('{"id":"in it"}') },
      ],
      pos: 3,
    });
    await world.append(retryTopic(0), 1, id, value);
    await world.worker();
    await world.time.run(minute);
    expect(batches()).toEqual([['in it']]);
    expect(ids()).toEqual(['msg_of-the-record']);
    expect(world.outcomes()).toEqual(new Map([...events, ...others].map((one) => [one, 'delivered'])));
    await mustBeThrough();
  });

  it('2. whose record stands behind the next owner’s fence: it is void', async () => {
    const version = await world.endpoint(id, { batch });
    const first = await world.worker();
    const events = await deliver(3, version);
    await world.time.run(second);
    const [record] = world.copies(0);
    await first.kill();
    world.posts.length = 0;
    const more = await deliver(2, version);
    await world.worker();
    await world.time.run(100);
    const late = { ...record!, webhookId: 'msg_late', sourceOffset: 3, pos: 3 };
    const members = [3, 4].map((pos) => ({ ...record!.members![0]!, sourceOffset: pos, pos, eventId: more[pos - 3]! }));
    await world.append(retryTopic(0), 1, id, world.codecs.delivery.encode({ ...late, members }));
    await world.time.run(minute);
    expect(batches()).toEqual([more]);
    expect(ids()).not.toContain('msg_late');
    expect(world.outcomes().size).toBe(events.length + more.length);
    await mustBeThrough();
  });

  it('3. 4. that was acknowledged, or POSTed without an answer: it is sent again, the same', async () => {
    const version = await world.endpoint(id, { batch });
    const first = await world.worker();
    world.reactions.set(id, (nth) => (nth === 1 ? 'hang' : { status: 200 }));
    const events = await deliver(3, version);
    await world.time.run(second);
    await heir(first);
    // What comes now would fill it, were it made anew.
    const more = await deliver(2, version);
    await world.time.run(20 * second);
    expect(new Set(batches().flat())).toEqual(new Set([...events, ...more]));
    expect(world.posts).toHaveLength(3);
    const again = world.posts.filter((one) => eventsOf(one)[0] === events[0]);
    expect(new Set(again.map(({ webhookId, post }) => `${webhookId} ${String(post.body)}`)).size).toBe(1);
    await mustBeThrough();
  });

  it('5. of which some Attempts stand: it is sent whole, and only the others’ are written', async () => {
    const config = { ...batch, maxEvents: 700, maxWaitMs: 5 * second };
    const version = await world.endpoint(id, { batch: config });
    const first = await world.worker(roomy);
    let sends = 0;
    // They need more than one send: the second never arrives.
    world.appendDelay = (records) => (isFor(world.topics.attempts)(records) && ++sends > 1 ? Infinity : 0);
    const events = await deliver(700, version);
    await world.time.run(second);
    expect(batches()).toEqual([events]);
    const closed = world.outcomes().size;
    expect(closed).toBeGreaterThan(100);
    expect(closed).toBeLessThan(700);
    await heir(first);
    await world.time.run(minute);
    expect(batches()).toEqual([events, events]);
    expect(new Set(ids()).size).toBe(1);
    const finals = world.attempts().filter(({ final }) => final);
    expect(finals.map(({ eventId }) => eventId).toSorted()).toEqual(events.toSorted());
    await mustBeThrough();
  });

  it('5. of which some Attempts stand, and which fails then: the others alone go on, and no owner forgets that', async () => {
    const config = {
      batch: { ...batch, maxEvents: 700, maxWaitMs: 5 * second },
      retry: scheduleOf([10 * second, 10 * second, 10 * second]),
    };
    const version = await world.endpoint(id, config);
    const first = await world.worker(roomy);
    let sends = 0;
    world.appendDelay = (records) => (isFor(world.topics.attempts)(records) && ++sends > 1 ? Infinity : 0);
    world.reactions.set(id, (nth) => ({ status: nth === 1 ? 200 : 500 }));
    const events = await deliver(700, version);
    await world.time.run(second);
    const closed = new Set(world.outcomes().keys());
    const second_ = await heir(first);
    await world.time.run(8 * second);
    expect(world.posts.length).toBe(2);
    // Long enough that the Attempts of those that are closed need not be read any more.
    await world.endpoint(id, { ...config, state: 'paused' });
    await world.time.run(5 * minute);
    expect((await committed()).a).toBeGreaterThan(closed.size);
    const third = await heir(second_);
    await world.time.run(5 * minute);
    await heir(third);
    await world.endpoint(id, config);
    await world.time.run(5 * minute);
    expect(batches()).toEqual([events, events, events, events, events]);
    expect(new Set(ids()).size).toBe(1);
    const finals = world.attempts().filter(({ final }) => final);
    expect(finals).toHaveLength(700);
    expect(finals.filter(({ outcome }) => outcome === 'delivered').map(({ eventId }) => eventId)).toEqual([...closed]);
    expect(world.deadLetters().map(({ delivery }) => delivery.eventId)).toEqual(
      events.filter((one) => !closed.has(one)),
    );
    await mustBeThrough();
  });

  it.each([
    ['5’. of whose retry the copy does not stand', 1, 2],
    ['5’’. of which a dead letter stands, and no Attempt', 3, 4],
  ])('%s: it is POSTed again', async (_, until, posts) => {
    const version = await world.endpoint(id, { batch, retry: scheduleOf([second, second]) });
    const first = await world.worker();
    const stuck = until === 1 ? retryTopic(0) : world.topics.attempts;
    const isStuck = (records: readonly OutgoingRecord[]): boolean =>
      world.posts.length === until && isFor(stuck)(records);
    world.appendDelay = (records) => (isStuck(records) ? Infinity : 0);
    world.reactions.set(id, (nth) => ({ status: nth <= until ? 500 : 200 }));
    const events = await deliver(3, version);
    await world.time.run(10 * second);
    expect(world.posts).toHaveLength(until);
    await heir(first);
    await world.time.run(minute);
    expect(batches()).toEqual(Array.from({ length: posts }, () => events));
    expect(new Set(ids()).size).toBe(1);
    expect([...world.outcomes().values()]).toEqual(['delivered', 'delivered', 'delivered']);
    await mustBeThrough();
  });

  it('3. that sleeps through its lease: what it sends afterwards is nothing', async () => {
    const version = await world.endpoint(id, { batch });
    const zombie = await world.worker();
    zombie.membership.freeze();
    const events = await deliver(2, version);
    await world.time.run(7 * second);
    world.posts.length = 0;
    await world.worker();
    const expired = zombie.membership.expire();
    await world.time.run(minute);
    await expired;
    events.push(...(await deliver(2, version)));
    const thawed = zombie.membership.thaw();
    await world.time.run(minute);
    await thawed;
    expect(new Set(batches().flat()).size).toBe(batches().flat().length);
    expect(world.outcomes()).toEqual(new Map(events.map((one) => [one, 'delivered'])));
  });

  it('is announced before its POST when owners before have ended in it, and given up as what ended them', async () => {
    const version = await world.endpoint(id, { batch });
    world.reactions.set(id, () => 'hang');
    const events = await deliver(3, version);
    let worker = await world.worker();
    for (let i = 0; i < 7; i += 1) {
      await world.time.run(7 * second);
      worker = await heir(worker);
    }
    await world.time.run(minute);
    const started = world.attempts().filter(({ outcome }) => outcome === 'started');
    expect(started.map(({ eventId }) => eventId)).toEqual([events[0], events[0], events[0]]);
    expect(world.deadLetters().map(({ reason, delivery }) => [reason, delivery.eventId])).toEqual(
      events.map((one) => ['poison', one]),
    );
    await mustBeThrough();
  });
});

describe('a batch that exists', () => {
  /** Its first POST has failed. @returns its events */
  async function failed(changes: Parameters<WorkerWorld['endpoint']>[1] = {}, of = {}): Promise<string[]> {
    const version = await world.endpoint(id, { batch, retry: scheduleOf([10 * second]), ...changes });
    world.reactions.set(id, (nth) => ({ status: nth === 1 ? 500 : 200 }));
    const events = await deliver(3, version, of);
    await world.time.run(second);
    expect(batches()).toEqual([events]);
    return events;
  }

  it('is sent as it is when its endpoint asks for batches no more', async () => {
    await world.worker();
    const events = await failed();
    const version = await world.endpoint(id, { retry: scheduleOf([10 * second]) });
    const [single] = await deliver(1, version);
    await world.time.run(20 * second);
    expect(world.posts.map(({ post }) => JSON.parse(String(post.body)) as unknown)).toEqual([
      events.map((one) => ({ id: one })),
      { id: single },
      events.map((one) => ({ id: one })),
    ]);
    await mustBeThrough();
  });

  it('is dropped, event by event, when its endpoint is deleted', async () => {
    await world.worker();
    const events = await failed();
    await world.deleteEndpoint(id);
    await world.time.run(20 * second);
    expect(world.outcomes()).toEqual(new Map(events.map((one) => [one, 'dropped'])));
    await mustBeThrough();
  });

  it('is dropped, event by event, when its replay is cancelled, wherever it waits', async () => {
    const replay = await world.replay('replay:1');
    await world.worker();
    const events = await failed({ retry: scheduleOf([3_600_000]) }, { stream: 'replay:1', configVersion: replay });
    const waiting = await deliver(1, replay, { stream: 'replay:1' });
    await world.replay('replay:1', { state: 'cancelled' });
    await world.time.run(10 * second);
    expect(world.outcomes()).toEqual(new Map([...events, ...waiting].map((one) => [one, 'dropped'])));
    await mustBeThrough();
  });

  it('waits for its paused endpoint, without an attempt, and goes on within two seconds, also with another owner', async () => {
    const config = { batch, retry: scheduleOf([10 * second]) };
    const first = await world.worker();
    const events = await failed();
    await world.endpoint(id, { ...config, state: 'paused' });
    await world.time.run(10 * minute);
    await heir(first);
    await world.time.run(minute);
    expect(world.posts).toHaveLength(1);
    await world.endpoint(id, config);
    await world.time.run(2 * second);
    expect(batches()).toEqual([events, events]);
    expect(new Set(ids()).size).toBe(1);
    await mustBeThrough();
  });

  it('expires with its oldest event', async () => {
    const retry = { ...scheduleOf([10 * second]), maxTotalMs: 5 * second };
    await world.worker();
    const events = await failed({ retry });
    expect(world.deadLetters().map(({ reason, delivery }) => [reason, delivery.eventId])).toEqual(
      events.map((one) => ['expired', one]),
    );
    await mustBeThrough();
  });

  it('holds up neither commit nor deletion while it waits for its rate', async () => {
    const rateLimit = { limit: 1, per: 'hour', burst: 1 } as const;
    const version = await world.endpoint(id, { batch, rateLimit });
    const first = await world.worker({ secureAfterMs: 10 * second });
    const events = await deliver(9, version);
    await world.time.run(2 * minute);
    expect(world.posts).toHaveLength(1);
    expect((await committed()).offset).toBe(9);
    await world.endpoint(id, { batch });
    await world.time.run(second);
    expect(batches().flat().toSorted()).toEqual(events.toSorted());
    await first.kill();
    await mustBeThrough();
  });

  it('3. has one POST though a dispatcher has sent one of its events again', async () => {
    const version = await world.endpoint(id, { batch });
    await world.worker();
    const events = await deliver(3, version);
    await world.time.run(second);
    await deliver(1, version, { sourceOffset: 1, eventId: events[1]! });
    await world.time.run(minute);
    expect(batches()).toEqual([events]);
    await mustBeThrough();
  });
});
