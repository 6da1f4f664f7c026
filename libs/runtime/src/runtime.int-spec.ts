import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import pg from 'pg';
import { afterAll, expect, test } from 'vitest';
import { startRuntime, type Runtime } from './index.js';
import { isAlive } from './process-alive.js';

// Real: all of it. A second runtime besides the one that the test run shares, in a folder of its own.
const dataDir = mkdtempSync(join(tmpdir(), 'posthorn-runtime-'));
afterAll(() => rmSync(dataDir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }));

test(
  'starts, keeps its data and addresses over a restart, and stops without a trace',
  { timeout: 180_000 },
  async () => {
    const first = await startRuntime({ dataDir, fast: true });
    try {
      await expect(startRuntime({ dataDir, fast: true })).rejects.toThrow(`in use by process ${process.pid}`);
      await writeSomething(first);
    } finally {
      await stopInTime(first);
    }
    const second = await startRuntime({ dataDir, fast: true });
    try {
      expect(addressesOf(second)).toEqual(addressesOf(first));
      expect(await readItBack(second)).toEqual({
        topics: ['kept'],
        subjects: ['kept-value'],
        rows: [{ word: 'kept' }],
      });
    } finally {
      await stopInTime(second);
    }
  },
);

test('does not outlive the process that started it, even one that is killed', async () => {
  const program = `
    const { startRuntime } = await import(${JSON.stringify(join(import.meta.dirname, 'index.ts'))});
    const own = { kafkaBrokers: 'unused', schemaRegistryUrl: 'unused' };
    await startRuntime({ dataDir: ${JSON.stringify(dataDir)}, own, fast: true });
    console.log('started');
    setInterval(() => undefined, 1000);
  `;
  const args = ['--import', 'tsx', '--input-type=module', '--eval', program];
  const parent = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await firstLine(parent.stdout);
    const postmaster = Number(readFileSync(join(dataDir, 'postgres/data/postmaster.pid'), 'utf8').split('\n')[0]);
    expect(isAlive(postmaster)).toBe(true);
    parent.kill('SIGKILL');
    await waitUntil(() => !isAlive(postmaster), 5000);
  } finally {
    parent.kill('SIGKILL');
  }
  // Its lock is stale now: the next start takes it over.
  const next = await startRuntime({
    dataDir,
    own: { kafkaBrokers: 'unused', schemaRegistryUrl: 'unused' },
    fast: true,
  });
  await next.stop();
});

const SCHEMA = JSON.stringify({ type: 'record', name: 'Kept', fields: [] });

async function writeSomething(runtime: Runtime): Promise<void> {
  await withAdmin(runtime, (admin) => admin.createTopics({ topics: [{ topic: 'kept', numPartitions: 1 }] }));
  const response = await fetch(`${runtime.schemaRegistryUrl}/subjects/kept-value/versions`, {
    method: 'POST',
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    body: JSON.stringify({ schema: SCHEMA }),
  });
  expect(response.status).toBe(200);
  await withClient(runtime, (client) => client.query("CREATE TABLE kept AS SELECT 'kept' AS word"));
}

async function readItBack(runtime: Runtime): Promise<{ topics: string[]; subjects: unknown; rows: unknown[] }> {
  const topics = await withAdmin(runtime, (admin) => admin.listTopics());
  const subjects: unknown = await (await fetch(`${runtime.schemaRegistryUrl}/subjects`)).json();
  const { rows } = await withClient(runtime, (client) => client.query('SELECT word FROM kept'));
  return { topics: topics.filter((name) => !name.startsWith('__')), subjects, rows };
}

async function withAdmin<T>(runtime: Runtime, work: (admin: ReturnType<Kafka['admin']>) => Promise<T>): Promise<T> {
  const admin = new Kafka({ brokers: [runtime.kafkaBrokers], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}

async function withClient<T>(runtime: Runtime, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: runtime.databaseUrl });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Within 5 s, and every process whose id the services had written down is gone. */
async function stopInTime(runtime: Runtime): Promise<void> {
  const children = childrenOf(process.pid);
  const start = performance.now();
  await Promise.all([runtime.stop(), runtime.stop()]);
  expect(performance.now() - start).toBeLessThan(5000);
  const left = children.filter((pid) => isAlive(pid));
  // The guardian's shell ends by itself once it has read that nothing is left to guard.
  await waitUntil(() => left.every((pid) => !isAlive(pid)), 1000);
}

function childrenOf(pid: number): number[] {
  if (process.platform !== 'linux') return [];
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return text === '' ? [] : text.split(' ').map(Number);
}

function addressesOf({ kafkaBrokers, schemaRegistryUrl, databaseUrl }: Runtime): unknown {
  return { kafkaBrokers, schemaRegistryUrl, databaseUrl };
}

function firstLine(stream: NodeJS.ReadableStream): Promise<string> {
  return new Promise((resolve, reject) => {
    const lines = createInterface(stream);
    lines.once('line', resolve);
    lines.once('close', () => reject(new Error('The program ended without a line')));
  });
}

async function waitUntil(met: () => boolean, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!met()) {
    if (performance.now() > deadline) throw new Error(`Not within ${timeoutMs} ms`);
    await sleep(20);
  }
}
