/** A platform moves to another cluster, whose groups begin at generation 1: nothing is lost, and it goes on. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { childEnvironment, parseConfig, projectRoot, type Config } from '#libs/config';
import { topicNames } from '#libs/contracts';
import { connectKafka, type KafkaLog } from '#libs/kafka';
import { connectDatabase, type Database } from '#libs/persistence';
import { startTestCluster, type TestCluster } from '#libs/runtime';
import { connectSchemaCodec } from '#libs/schema-codec';
import { createTestDatabase, RecordingReceiver, uniquePrefix, type TestDatabase } from '#libs/testing';
import { deploy } from './deploy.js';
import { Mirror, newKeys, Processes } from './move.fixture.js';

// Real: both clusters, PostgreSQL, the registry, all apps as processes, the commands. Doubled: MirrorMaker.
const prefix = `${uniquePrefix()}move`;
const topics = topicNames(prefix);
const keys = newKeys();
const folder = mkdtempSync(join(tmpdir(), 'posthorn-move-'));
let second: TestCluster;
let test: TestDatabase;
let database: Database;
let receivers: RecordingReceiver[];

beforeAll(async () => {
  [second, test] = await Promise.all([startTestCluster({ brokers: 1 }), createTestDatabase()]);
  receivers = await Promise.all([0, 1, 2].map(() => RecordingReceiver.start()));
});
afterAll(async () => {
  await Promise.all((receivers ?? []).map((one) => one.close()));
  await database?.close();
  await test?.drop();
  await second?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const environment = (brokers: string): Record<string, string> => ({
  KAFKA_BROKERS: brokers,
  SCHEMA_REGISTRY_URL: inject('schemaRegistryUrl'),
  DATABASE_URL: test.url,
  POSTHORN_TOPIC_PREFIX: prefix,
  POSTHORN_REPLICATION_FACTOR: '1',
  POSTHORN_MIN_INSYNC_REPLICAS: '1',
  POSTHORN_EVENT_PARTITIONS: '2',
  POSTHORN_DELIVERY_PARTITIONS: '2',
});

/** `posthorn …` on a cluster. @returns what it printed */
function posthorn(brokers: string, ...args: readonly string[]): Promise<string> {
  const main = ['--conditions=source', '--import', 'tsx', 'apps/cli/main.ts', ...args];
  const options = { cwd: projectRoot(), env: childEnvironment(environment(brokers)) };
  return new Promise((resolve, reject) => {
    execFile(process.execPath, main, options, (error, out, err) => {
      if (error === null) resolve(out);
      else reject(new Error(`posthorn ${args.join(' ')} failed: ${out}${err}`));
    });
  });
}

function save(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

interface Sent {
  readonly id: string;
  readonly subject: string;
}

const connect = (brokers: string): KafkaLog => connectKafka({ brokers: brokers.split(','), clientId: 'move-test' });

async function send(platform: Processes, sent: Sent[], count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    const event = { id: `e${sent.length}`, subject: `task-${sent.length % 4}` };
    await platform.request('POST', '/v1/events', {
      specversion: '1.0',
      source: '/move',
      type: 'task.completed',
      tenantid: 'acme',
      partitionkey: event.subject,
      time: '2026-01-02T03:04:05.678Z',
      datacontenttype: 'application/json',
      data: {
        taskId: event.subject,
        projectId: 'p-1',
        title: event.id,
        completedBy: { id: 'u-1', name: 'Ada Okafor', email: null },
        minutesSpent: sent.length,
        completedAt: '2026-01-02T03:04:05.678Z',
      },
      ...event,
    });
    sent.push(event);
  }
}

/** Ids of events in the order of their first success. */
function succeeded(receiver: RecordingReceiver, statuses: ReadonlyMap<object, number>): string[] {
  const ids = receiver.requests
    .filter((request) => (statuses.get(request) ?? 204) < 300)
    .map((request) => (JSON.parse(request.body.toString()) as { id: string }).id);
  return [...new Set(ids)];
}

describe('a move to another cluster', () => {
  it('loses nothing, keeps order, and workers accept their partitions', { timeout: 300_000 }, async () => {
    const [sourceBrokers, targetBrokers] = [inject('kafkaBrokers'), second.brokers.join(',')];
    const configOf = (brokers: string): Config => parseConfig(environment(brokers));
    await deploy(configOf(sourceBrokers), () => undefined);
    await deploy(configOf(targetBrokers), () => undefined);
    database = await connectDatabase(test.url);
    const [from, to] = [connect(sourceBrokers), connect(targetBrokers)];
    const old = new Processes(environment(sourceBrokers), keys);
    for (const app of ['api', 'dispatcher', 'worker', 'projector'] as const) await old.launch(app);

    // One that is well, one that fails, one that fails and wants order.
    const failing = new Set([1]);
    const statuses = new Map<object, number>();
    for (const [i, receiver] of receivers.entries()) {
      receiver.program = (request) => {
        const status = failing.has(i) ? 503 : 204;
        statuses.set(request, status);
        return { status };
      };
    }
    await old.request('POST', '/v1/tenants', { id: 'acme', name: 'Acme' });
    const endpoints: string[] = [];
    for (const [i, receiver] of receivers.entries()) {
      const { id } = await old.request<{ id: string }>('POST', '/v1/endpoints', {
        tenantId: 'acme',
        url: `${receiver.url}/hook`,
        eventTypes: ['*'],
        ordering: i === 2 ? 'key' : 'none',
        retry: { delaysMs: [8_000, 9_000, 9_000, 9_000, 9_000, 9_000, 9_000, 9_000, 9_000, 9_000, 9_000, 9_000] },
        circuit: { consecutiveFailures: 1_000, failureShare: 1, minRequests: 1_000 },
      });
      endpoints.push(id);
      // Configuration versions that the mirror, compacted, will have at lower offsets.
      for (let n = 0; n < 5; n += 1) await old.request('PATCH', `/v1/endpoints/${id}`, { description: `${n}` });
    }
    const sent: Sent[] = [];
    await send(old, sent, 12);
    await expect.poll(() => receivers[2]?.requests.length, { timeout: 20_000 }).toBe(12);
    // What is settled at the front is gone before the mirror begins: its offsets are not those of the source. And the
    // first copies of what waits in the retry topics never come.
    const administration = from.administration();
    const reader = from.reader();
    for (const [topic, group] of [
      [topics.events, 'dispatcher'],
      [topics.deliveries, 'worker'],
    ] as const) {
      const places = [0, 1].map((partition) => ({ topic, partition }));
      const ends = (await reader.bounds(places)).map(({ end }) => end);
      const committed = async (): Promise<unknown> =>
        (await administration.committed(`${prefix}.${group}`, places)).map((one) => one?.offset ?? 0);
      await expect.poll(committed, { timeout: 30_000 }).toEqual(ends);
      await administration.deleteRecordsBefore(places.map((place, i) => ({ ...place, offset: ends[i] ?? 0 })));
    }
    // One that stands still since then: what comes from now on waits for it in the log.
    const [source] = await reader.bounds([{ topic: topics.events, partition: 0 }]);
    await database.session.query(
      `INSERT INTO cursors VALUES ('ep_behind', 0, 'f_old', 'freeze', 'paused', 0, $1, $1, false, now(), now())`,
      [source?.start],
    );
    failing.add(2);
    const names = [
      topics.events,
      topics.deliveries,
      ...topics.retry.map(({ name }) => name),
      topics.attempts,
      topics.deadLetters,
      topics.endpoints,
    ];
    const partitions = names.flatMap((topic) =>
      (topic === topics.endpoints ? [0] : [0, 1]).map((partition) => ({ topic, partition })),
    );
    // What the disaster swallows: the last records of some topics. Of events none, or they would be lost with reason.
    let behind: Readonly<Record<string, number>> = {};
    const mirror = new Mirror(
      from,
      to,
      partitions,
      (topic) => behind[topic] ?? 0,
      (topic) => topic === topics.endpoints,
    );
    await mirror.start();
    await send(old, sent, 40);
    await expect.poll(() => receivers[0]?.requests.length, { timeout: 20_000 }).toBe(52);
    await pause(3_000);
    await send(old, sent, 8);
    await expect.poll(() => receivers[0]?.requests.length, { timeout: 20_000 }).toBe(60);
    mirror.repeat(2);
    await pause(2_000);
    const saved = new Map<string, string>();
    for (const group of ['dispatcher', 'worker', 'projector'])
      saved.set(group, save(`${group}.json`, await posthorn(sourceBrokers, 'offsets', 'save', '--group', group)));
    behind = { [topics.attempts]: 3, [topics.deliveries]: 4, [topics.retry[0]?.name ?? '']: 2 };
    await send(old, sent, 20);
    await pause(300);
    await old.killAll();
    await mirror.stop();
    await Promise.all([administration.close(), reader.close()]);

    const before = await database.session.query<{ count: number }[]>('SELECT count(*)::integer FROM deliveries');
    const platform = new Processes(environment(targetBrokers), keys);
    try {
      const plans = new Map<string, string>();
      for (const [group, file] of saved) {
        const plan = await posthorn(
          targetBrokers,
          'offsets',
          'plan',
          '--group',
          group,
          '--saved',
          file,
          '--margin',
          '3',
        );
        plans.set(group, save(`${group}-plan.json`, plan));
      }
      const apply = (group: string): Promise<string> =>
        posthorn(targetBrokers, 'offsets', 'apply', plans.get(group) ?? '');
      await platform.launch('api');
      await posthorn(targetBrokers, 'configuration', 'publish');
      const left = async (): Promise<unknown> => database.session.query('SELECT key FROM outbox');
      await expect.poll(left, { timeout: 20_000 }).toEqual([]);
      // A worker that is started too early has the first positions of an empty cluster: it must not be there.
      const early = to.membership({
        groupId: `${prefix}.worker`,
        topics: [topics.deliveries],
        listener: {
          onGained: () => undefined,
          onLost: () => undefined,
          beforeJoin: () => Promise.resolve(),
          onFatal: () => undefined,
        },
      });
      await early.join();
      await expect(apply('worker')).rejects.toThrow(/stop every worker/);
      await early.leave();

      expect(await apply('dispatcher')).toMatch(/as incarnation 1[^]*1 positions of endpoints/);
      // Its first event is the first one that was mirrored.
      expect(
        await database.session.query(
          `SELECT incarnation, position, left(run, 2) AS run FROM cursors WHERE endpoint_id = 'ep_behind'`,
        ),
      ).toEqual([{ incarnation: 1, position: '0', run: 'f_' }]);
      const carried = await apply('worker');
      expect(carried).toMatch(/[1-9]\d* deliveries carried over into era 2/);
      expect(await apply('projector')).toMatch(/the rebuilt projection is in use/);
      for (const app of ['dispatcher', 'worker', 'projector'] as const) await platform.launch(app);
      failing.clear();
      await send(platform, sent, 20);
      const wanted = sent.map(({ id }) => id).sort();
      for (const receiver of receivers)
        await expect
          .poll(() => succeeded(receiver, statuses).sort(), { timeout: 90_000, interval: 500 })
          .toEqual(wanted);

      // Repeats bear the same webhook-id; order holds within each key.
      for (const receiver of receivers)
        expect(new Set(receiver.requests.map((one) => one.headers['webhook-id'])).size).toBe(sent.length);
      const first = succeeded(receivers[2]!, statuses);
      for (const subject of new Set(sent.map((one) => one.subject))) {
        const inOrder = sent.filter((one) => one.subject === subject).map(({ id }) => id);
        expect(first.filter((id) => inOrder.includes(id))).toEqual(inOrder);
      }
      // The receiver that was well saw again what lay within the margin, and not everything.
      expect(receivers[0]?.requests.length).toBeLessThan(sent.length * 2 - 30);

      // Workers of this cluster, from generation 1 on, in the new era.
      const codec = await connectSchemaCodec({ registryUrl: inject('schemaRegistryUrl') });
      const fences: { era: number; generation: number }[] = [];
      const there = to.reader();
      const place = { topic: topics.retry[5]?.name ?? '', partition: 0 };
      const [bounds] = await there.bounds([place]);
      for await (const records of there.range(place, bounds?.start ?? 0, bounds?.end ?? 0)) {
        await codec.platform.prepare(records.map(({ value }) => value));
        for (const { value } of records)
          if (value !== null && codec.platform.isFence(value)) fences.push(codec.platform.fence.decode(value));
      }
      await there.close();
      expect(fences.at(-1)).toMatchObject({ era: 2 });

      // The projection goes on in the new log, and knows of what was before.
      const open = async (): Promise<unknown> => {
        const rows: { status: string }[] = await database.session.query(
          `SELECT DISTINCT status FROM deliveries WHERE delivery_id LIKE '%.live.1.%'`,
        );
        return rows.map(({ status }) => status);
      };
      await expect.poll(open, { timeout: 30_000 }).toEqual(['delivered']);
      const after = await database.session.query<{ count: number }[]>('SELECT count(*)::integer FROM deliveries');
      expect(after[0]?.count).toBeGreaterThan(before[0]?.count ?? 0);
      // A row follows its POST: the projector reads the attempts after the receivers have seen them.
      const events = async (): Promise<number | undefined> => {
        const rows: { count: number }[] = await database.session.query(
          `SELECT count(DISTINCT (endpoint_id, event_id))::integer AS count FROM deliveries WHERE status = 'delivered'`,
        );
        return rows[0]?.count;
      };
      await expect.poll(events, { timeout: 30_000 }).toBe(sent.length * endpoints.length);
    } catch (error) {
      throw new Error(`${String(error)}\n${platform.log.slice(-6_000)}`, { cause: error });
    } finally {
      await platform.stop();
    }
  });
});
