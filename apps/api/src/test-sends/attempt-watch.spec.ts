// Real: the watch, the codec. Doubled: Kafka (InMemoryLog), the schema registry, timers.
import { beforeEach, describe, expect, it } from 'vitest';
import type { Attempt } from '#libs/contracts';
import { InMemoryLog, type LogFeed } from '#libs/kafka';
import type { PlatformCodecs } from '#libs/schema-codec';
import { anAttempt } from '../../test/an-attempt.js';
import { testCodec } from '../../test/event-codec.js';
import { AttemptWatch } from './attempt-watch.js';

const topic = 'attempts';
let log: InMemoryLog;
let codecs: PlatformCodecs;
let watch: AttemptWatch;
/** Connections, and partitions that they follow. */
let opened: number;
let closed: number;
let followed: Set<number>;
let failures: { bounds: number; prepare: number };
let timers: (() => void)[];

beforeEach(async () => {
  log = new InMemoryLog();
  log.createTopic(topic, 4);
  ({ platform: codecs } = (await testCodec()).codec);
  [opened, closed, followed, timers] = [0, 0, new Set(), []];
  failures = { bounds: 0, prepare: 0 };
  const feed = (): LogFeed => {
    opened += 1;
    const own = log.feed();
    return {
      follow(at, offset, handler) {
        followed.add(at.partition);
        own.follow(at, offset, handler);
      },
      unfollow(at) {
        followed.delete(at.partition);
        own.unfollow(at);
      },
      pause: (at) => own.pause(at),
      resume: (at) => own.resume(at),
      close: () => {
        closed += 1;
        return own.close();
      },
    };
  };
  watch = new AttemptWatch(topic, {
    bounds: (places) => {
      if (failures.bounds-- > 0) return Promise.reject(new Error('no broker answers'));
      return log.reader().bounds(places);
    },
    feed,
    codecs: {
      attempt: codecs.attempt,
      prepare: (values) => {
        if (failures.prepare-- > 0) return Promise.reject(new Error('no registry answers'));
        return codecs.prepare(values);
      },
    },
    schedule: (_, run) => {
      timers.push(run);
      return () => undefined;
    },
    log: { warn: () => undefined },
  });
});

const append = async (partition: number, changes: Partial<Attempt>): Promise<void> => {
  const attempt = anAttempt(changes);
  await log.sender().send([{ topic, partition, key: attempt.endpointId, value: codecs.attempt.encode(attempt) }]);
};
const turns = async (): Promise<void> => {
  for (let i = 0; i < 20; i += 1) await Promise.resolve();
};
const at = (partition: number, stream: string, endpointId = 'ep_1') => ({ partition, stream, endpointId });

describe('AttemptWatch', () => {
  it('gives each the final Attempt of their own stream, over one connection', async () => {
    const [one, two, other] = await Promise.all([
      watch.watch(at(0, 'test:1')),
      watch.watch(at(0, 'test:2')),
      watch.watch(at(3, 'test:3', 'ep_2')),
    ]);
    expect([opened, [...followed]]).toEqual([1, [0, 3]]);
    await append(0, { stream: 'live' });
    await append(0, { stream: 'test:2', final: false, outcome: 'started' });
    await append(0, { stream: 'test:2', workerId: 'two' });
    await append(0, { stream: 'test:1', workerId: 'one' });
    await append(3, { stream: 'test:3', endpointId: 'ep_2', workerId: 'other' });
    const attempts = await Promise.all([one.final, two.final, other.final]);
    expect(attempts.map(({ workerId }) => workerId)).toEqual(['one', 'two', 'other']);
  });

  it('holds nothing while nobody waits, and begins anew at the end that the log has then', async () => {
    const [one, two] = [await watch.watch(at(0, 'test:1')), await watch.watch(at(1, 'test:2'))];
    one.end();
    expect([[...followed], closed]).toEqual([[1], 0]);
    two.end();
    two.end();
    expect([[...followed], opened, closed]).toEqual([[], 1, 1]);
    // Of the same stream, and before it was watched.
    await append(0, { stream: 'test:1', workerId: 'early' });
    const again = await watch.watch(at(0, 'test:1'));
    await append(0, { stream: 'test:1', workerId: 'late' });
    expect((await again.final).workerId).toBe('late');
    expect(opened).toBe(2);
  });

  it('decodes nothing of other endpoints', async () => {
    const watched = await watch.watch(at(0, 'test:1'));
    // Whoever would decode it could not.
    await log.sender().send([{ topic, partition: 0, key: 'ep_2', value: Buffer.from('garbage') }]);
    failures.prepare = 1;
    await append(0, { endpointId: 'ep_2', stream: 'test:1' });
    await turns();
    expect(failures.prepare).toBe(1);
    failures.prepare = 0;
    await append(0, {});
    expect((await watched.final).endpointId).toBe('ep_1');
  });

  it('passes over a record that is none', async () => {
    const watched = await watch.watch(at(0, 'test:1'));
    await log.sender().send([{ topic, partition: 0, key: 'ep_1', value: Buffer.from('garbage') }]);
    await append(0, {});
    expect((await watched.final).stream).toBe('test:1');
  });

  it('waits for the schema registry', async () => {
    const watched = await watch.watch(at(0, 'test:1'));
    failures.prepare = 1;
    await append(0, {});
    await turns();
    for (const run of timers) run();
    expect((await watched.final).stream).toBe('test:1');
  });

  it('is of no use while the brokers are away, and none the worse for it', async () => {
    failures.bounds = 1;
    const both = await Promise.allSettled([watch.watch(at(0, 'test:1')), watch.watch(at(0, 'test:2'))]);
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect([opened, [...followed]]).toEqual([0, []]);
    const watched = await watch.watch(at(0, 'test:1'));
    await append(0, {});
    await expect(watched.final).resolves.toMatchObject({ stream: 'test:1' });
  });

  it('tells those who wait that its process stops', async () => {
    const watched = await watch.watch(at(0, 'test:1'));
    watch.close();
    await expect(watched.final).rejects.toMatchObject({ code: 'shutting-down' });
    watched.end();
    expect(closed).toBe(1);
    await expect(watch.watch(at(0, 'test:2'))).rejects.toMatchObject({ code: 'shutting-down' });
  });
});
