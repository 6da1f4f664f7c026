// Real: the publisher, the codec. Doubled: the outbox in Postgres, Kafka (InMemoryLog), the clock.
import { beforeEach, describe, expect, it } from 'vitest';
import { InMemoryLog } from '#libs/kafka';
import type { ConfigurationChange } from '#libs/persistence';
import { testCodec } from '../../test/event-codec.js';
import { OutboxPublisher } from './publish-outbox.js';

const topic = 'endpoints';
const tenant = (id: string): ConfigurationChange => ({
  kind: 'tenant',
  key: `tenant:${id}`,
  config: { tenantId: id, name: id, updatedAt: 1 },
});

let log: InMemoryLog;
let pending: ConfigurationChange[];
let timers: { ms: number; run: () => void }[];
let busy: number;
let failing: boolean;
let publisher: OutboxPublisher;

beforeEach(async () => {
  log = new InMemoryLog();
  log.createTopic(topic, 1);
  log.createTopic('audit', 1);
  pending = [];
  timers = [];
  busy = 0;
  failing = false;
  const { codec } = await testCodec();
  publisher = new OutboxPublisher(
    {
      outbox: {
        async publishPending(publish, limit = 500) {
          if (failing) throw new Error('no database');
          if (busy > 0) {
            busy -= 1;
            return { outcome: 'busy' };
          }
          const changes = pending.slice(0, limit);
          if (changes.length > 0) await publish(changes, () => true);
          pending = pending.slice(changes.length);
          return { outcome: 'published', changes: changes.length, more: changes.length === limit };
        },
      },
      sender: log.sender(),
      codecs: codec.platform,
      schedule(ms, run) {
        const timer = { ms, run };
        timers.push(timer);
        return () => void (timers = timers.filter((one) => one !== timer));
      },
      log: { warn: () => undefined },
    },
    { topic, auditTopic: 'audit', pollMs: 500, busyMs: 50, waitMs: 2_000, batch: 2 },
  );
});

const keys = (): (string | undefined)[] => log.recordsOf(topic).map(({ key }) => key?.toString());
const turns = async (): Promise<void> => {
  for (let i = 0; i < 40; i += 1) await Promise.resolve();
};
/** Runs the timers of this length. */
const elapse = async (ms: number): Promise<void> => {
  for (const timer of timers.filter((one) => one.ms === ms)) {
    timers = timers.filter((one) => one !== timer);
    timer.run();
  }
  await turns();
};

describe('OutboxPublisher', () => {
  it('publishes all that is there at once, batch by batch, deletions as tombstones', async () => {
    pending = [tenant('a'), tenant('b'), { kind: 'endpoint', key: 'ep_1', config: null }];
    await publisher.published();
    expect(keys()).toEqual(['tenant:a', 'tenant:b', 'ep_1']);
    expect(log.recordsOf(topic).map(({ value }) => value === null)).toEqual([false, false, true]);
  });

  it('finds by itself what others have left behind', async () => {
    publisher.start();
    await turns();
    pending = [tenant('a')];
    await elapse(500);
    expect(keys()).toEqual(['tenant:a']);
  });

  it('looks again after a round that began before the commit', async () => {
    log.setAvailable(false);
    pending = [tenant('a')];
    publisher.start();
    await turns();
    pending.push(tenant('b'));
    const published = publisher.published();
    log.setAvailable(true);
    await published;
    expect(keys()).toEqual(['tenant:a', 'tenant:b']);
  });

  it('waits for another process that publishes', async () => {
    busy = 1;
    pending = [tenant('a')];
    const published = publisher.published();
    await turns();
    expect(keys()).toEqual([]);
    await elapse(50);
    await published;
    expect(keys()).toEqual(['tenant:a']);
  });

  it('keeps nobody waiting for brokers that are away, and goes on when they are back', async () => {
    log.setAvailable(false);
    pending = [tenant('a')];
    const published = publisher.published();
    await turns();
    await elapse(2_000);
    await published;
    log.setAvailable(true);
    await turns();
    expect(keys()).toEqual(['tenant:a']);
  });

  it('says what keeps it from publishing until it can again', async () => {
    failing = true;
    await publisher.published();
    expect(() => publisher.check()).toThrow('no database');
    failing = false;
    await elapse(500);
    expect(() => publisher.check()).not.toThrow();
  });

  it('publishes what is left when it stops, and nothing after that', async () => {
    pending = [tenant('a')];
    await publisher.stop();
    expect(keys()).toEqual(['tenant:a']);
    expect(timers).toEqual([]);
    expect(() => publisher.check()).toThrow('stopped');
  });
});

it('sends entries of the audit log to a topic of their own, keyed by their tenant', async () => {
  const hash = Buffer.alloc(32, 1);
  const config = { tenantId: 'acme', seq: 4, at: 1, actorKind: 'root', actorId: '', actorName: '', ip: null };
  const entry = {
    ...config,
    requestId: null,
    action: 'a',
    resource: 'r',
    before: null,
    after: '{}',
    prevHash: hash,
    hash,
  };
  pending = [tenant('a'), { kind: 'audit', key: 'audit:4:acme', config: entry }];
  publisher.start();
  await turns();
  expect(keys()).toEqual(['tenant:a']);
  const [record] = log.recordsOf('audit');
  expect(record?.key?.toString()).toBe('acme');
  const { codec } = await testCodec();
  expect(codec.platform.auditEntry.decode(record?.value ?? Buffer.alloc(0))).toEqual(entry);
});
