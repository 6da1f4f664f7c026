/** The commands against a real broker, registry and database. */
import { execFile } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { childEnvironment, parseConfig, projectRoot, type Config } from '#libs/config';
import { decodeCommitMetadata } from '#libs/core';
import { connectKafka } from '#libs/kafka';
import { AuditLog, connectDatabase, Cursors } from '#libs/persistence';
import { connectSchemaCodec } from '#libs/schema-codec';
import { createTestDatabase, uniquePrefix, type TestDatabase } from '#libs/testing';
import { audited } from './audited.js';
import { createTopics } from './create-topics.js';
import { deploy } from './deploy.js';
import { openIncarnation } from './open-incarnation.js';
import { openPositions } from './open-positions.js';

const prefix = `${uniquePrefix()}cli`;
let database: TestDatabase;
let config: Config;

const configWith = (more: Record<string, string>): Config =>
  parseConfig({
    KAFKA_BROKERS: inject('kafkaBrokers'),
    SCHEMA_REGISTRY_URL: inject('schemaRegistryUrl'),
    DATABASE_URL: database.url,
    POSTHORN_TOPIC_PREFIX: prefix,
    POSTHORN_REPLICATION_FACTOR: '1',
    POSTHORN_MIN_INSYNC_REPLICAS: '1',
    POSTHORN_EVENT_PARTITIONS: '2',
    POSTHORN_DELIVERY_PARTITIONS: '1',
    ...more,
  });

beforeAll(async () => {
  database = await createTestDatabase();
  config = configWith({});
});
afterAll(() => database.drop());

describe('deploy', () => {
  it('makes topics, schemas and tables, and nothing the second time', async () => {
    const first: string[] = [];
    await deploy(config, (line) => first.push(line));
    expect(first).toContain(`topic ${prefix}.events: created with 2 partitions`);
    expect(first).toContain(`${prefix}.deliveries: first positions for 1 partitions`);
    expect(first.at(-1)).toMatch(/^database: applied/);
    const second: string[] = [];
    await deploy(config, (line) => second.push(line));
    expect(second.filter((line) => /: (created|registered|applied|first)/.test(line))).toEqual([]);
  });

  it('names every mismatch that it cannot mend', async () => {
    const other = configWith({ POSTHORN_EVENT_PARTITIONS: '3' });
    await expect(createTopics(other, () => undefined)).rejects.toThrow(
      new RegExp(`${prefix}\\.events[^]*${prefix}\\.events\\.rejected`),
    );
  });
});

/** `posthorn` as a process. */
const run = (
  args: readonly string[],
  more: Record<string, string> = {},
): Promise<{ code: number; out: string; err: string }> =>
  new Promise((resolve) => {
    const env = childEnvironment({
      KAFKA_BROKERS: config.kafkaBrokers.join(','),
      SCHEMA_REGISTRY_URL: config.schemaRegistryUrl,
      DATABASE_URL: config.databaseUrl,
      POSTHORN_TOPIC_PREFIX: prefix,
      POSTHORN_REPLICATION_FACTOR: '1',
      POSTHORN_MIN_INSYNC_REPLICAS: '1',
      POSTHORN_EVENT_PARTITIONS: '2',
      POSTHORN_DELIVERY_PARTITIONS: '1',
      ...more,
    });
    const all = ['--conditions=source', '--import', 'tsx', 'apps/cli/main.ts', ...args];
    execFile(process.execPath, all, { cwd: projectRoot(), env, timeout: 30_000 }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), out, err });
    });
  });

describe('the process', () => {
  it('prints what it did, and ends by itself with 0; with 1 and the reason when it fails', async () => {
    expect(await run(['deploy'])).toMatchObject({
      code: 0,
      out: expect.stringContaining('database: up to date') as string,
      err: '',
    });
    const failed = await run(['deploy'], { POSTHORN_EVENT_PARTITIONS: '3' });
    expect(failed).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^topics that are not as they must be/) as string,
    });
  });
});

describe('what an operator changes', () => {
  const open = ['incarnation', 'open', '--partition', '0', '--at', 'earliest'];

  it('invariant 12: stands in the audit log', async () => {
    expect(await run(open)).toMatchObject({ code: 0 });
    const tables = await connectDatabase(config.databaseUrl);
    const { data } = await new AuditLog(tables).list({ action: 'incarnation.opened' }, { limit: 10 });
    await tables.close();
    expect(data).toMatchObject([
      {
        tenantId: '',
        actor: { kind: 'system', id: 'cli', name: expect.stringMatching(/^posthorn, run by ./) as string },
        resource: 'events/0',
        after: { partition: 0, at: 'earliest' },
      },
    ]);
  });

  it('is not done when it cannot be noted', async () => {
    const url = new URL(config.databaseUrl);
    url.pathname = '/nothing-of-the-kind';
    const note = { action: 'positions.opened', resource: 'deliveries/0', asked: {} };
    const done: string[] = [];
    const work = () => Promise.resolve(void done.push('done'));
    const report = (line: string): number => done.push(line);
    await expect(audited(configWith({ DATABASE_URL: url.href }), note, report, work)).rejects.toThrow(
      /^nothing was done, since the audit log cannot be written: .*nothing-of-the-kind/,
    );
    expect(done).toEqual([]);
    await audited(configWith({ DATABASE_URL: '' }), note, report, work);
    expect(done).toEqual(['audit log: no entry, since DATABASE_URL is not set', 'done']);
  });
});

describe('incarnation open', () => {
  it('sets the position of one partition, and raises the incarnation each time', async () => {
    const kafka = connectKafka({ brokers: config.kafkaBrokers, clientId: 'test' });
    const sender = kafka.sender();
    await sender.send([{ topic: `${prefix}.events`, partition: 1, key: 'a', value: Buffer.from('b') }]);
    await sender.close();
    const lines: string[] = [];
    const report = (line: string): number => lines.push(line);
    await openIncarnation(config, { partition: 1, at: 'latest' }, report);
    const tables = await connectDatabase(config.databaseUrl);
    const cursors = new Cursors(tables);
    const { epoch } = await cursors.takeOver(1);
    const behind = { endpointId: 'ep_1', run: 'f_1', incarnation: 1, position: 1 };
    await cursors.write(1, epoch, [{ ...behind, kind: 'freeze', reason: 'paused' }]);
    await openIncarnation(config, { partition: 1, at: 'earliest' }, report);
    expect(lines).toEqual([
      `${prefix}.events-1: was without a position, goes on at 1 as incarnation 1`,
      `${prefix}.events-1: was at 1, goes on at 0 as incarnation 2`,
      expect.stringMatching(/^ep_1 \(paused\) was at 1 of incarnation 1, and goes on there too/),
    ]);
    expect(await cursors.lookUp(1, 'ep_1')).toMatchObject({ incarnation: 2, position: 0 });
    // A dispatcher that has not noticed has no say any more.
    expect(await cursors.write(1, epoch, [])).toBe(false);
    await tables.close();
  });
});

describe('positions open', () => {
  it('sets the position of one partition, in a new era each time, while no worker is there', async () => {
    const topic = `${prefix}.deliveries`;
    const groupId = `${prefix}.worker`;
    const kafka = connectKafka({ brokers: config.kafkaBrokers, clientId: 'test' });
    const administration = kafka.administration();
    const codec = await connectSchemaCodec({ registryUrl: config.schemaRegistryUrl });
    const fence = { era: 4, generation: 2, committed: 0, attemptsEnd: 0, workerId: 'w', at: 0 };
    const sender = kafka.sender();
    await sender.send([
      { topic, partition: 0, key: 'a', value: Buffer.from('b') },
      { topic: `${prefix}.retry.5m`, partition: 0, key: null, value: codec.platform.fence.encode(fence) },
    ]);
    await sender.close();
    const lines: string[] = [];
    const report = (line: string): number => lines.push(line);
    await openPositions(config, { partition: 0, at: 'earliest' }, report);
    await openPositions(config, { partition: 0, at: 'latest' }, report);
    expect(lines.slice(0, 2)).toEqual([
      `${topic}-0: was at 0, goes on at 0 in era 5`,
      `${topic}-0: was at 0, goes on at 1 in era 6`,
    ]);
    const [commit] = await administration.committed(groupId, [{ topic, partition: 0 }]);
    expect(commit?.offset).toBe(1);
    expect(decodeCommitMetadata(commit?.metadata ?? '')).toMatchObject({ era: 6, a: 0, b: 0 });

    const nothing = { onGained: () => undefined, onLost: () => undefined, onFatal: () => undefined };
    const listener = { ...nothing, beforeJoin: () => Promise.resolve() };
    const worker = kafka.membership({ groupId, topics: [topic], listener });
    await worker.join();
    await expect(openPositions(config, { partition: 0, at: 'latest' }, report)).rejects.toThrow(/stop every worker/);
    await worker.leave();
    await administration.close();
  });
});
