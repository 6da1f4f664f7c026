import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createTestDatabase, uniquePrefix, type TestDatabase } from '#libs/testing';
import { childEnvironment, projectRoot } from '#libs/config';
import { searchFor } from '../oracle/secrecy-oracle.js';
import { filesBelow } from './secrecy/files.js';
import { useMasterKeys } from './secrecy/left-behind.js';
import { isIndex } from './secrecy/left-by-services.js';
import { secretsInUse, useSecret } from './secrecy/secrets-in-use.js';

/** The demo as a user runs it (after the build). Real: everything. */
describe('npm run demo', () => {
  let folder: string;
  let database: TestDatabase;
  /** By all demos that have ended. */
  let said = '';

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'posthorn-demo-'));
    database = await createTestDatabase();
  });
  afterAll(async () => {
    await database.drop();
    rmSync(folder, { recursive: true, force: true });
  });

  const start = (args: readonly string[], settings: Readonly<Record<string, string>>) => {
    const child = spawn(process.execPath, [join(projectRoot(), 'dist/examples/project-management/demo.js'), ...args], {
      env: childEnvironment({ POSTHORN_API_PORT: '0', POSTHORN_LOG_LEVEL: 'warn', ...settings }),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.once('close', () => (said += output));
    return { child, output: () => output };
  };
  it('on the embedded runtime: ends with 0 and a table; every matched event reached its end state', async () => {
    const { child, output } = start(['--events', '300', '--exit'], {
      ...embedded,
      POSTHORN_DATA_DIR: join(folder, 'data'),
    });
    const code = await ended(child);
    if (code !== 0) throw new Error(`the demo ended with ${code}:\n${output()}`);
    for (const word of ['matched', 'delivered', 'retried', 'p50', 'p95', 'steady', 'flaky', 'slow', 'failing']) {
      expect(output()).toContain(word);
    }
  });

  it('on the embedded runtime, without --exit: prints the addresses, and Ctrl-C ends all of it within 5 s', async () => {
    const dataDir = join(folder, 'stays');
    const { child, output } = start(['--events', '50'], { ...embedded, POSTHORN_DATA_DIR: dataDir });
    await tableShown(child, output);
    await expect.poll(output).toMatch(/http:\/\/127\.0\.0\.1:\d+/);
    expect(processesNaming(dataDir).length).toBeGreaterThan(3);
    await interruptedWithin(5_000, child);
    await expect.poll(() => processesNaming(dataDir)).toEqual([]);
  });

  it('ends with 1 and the reason when it cannot start', async () => {
    const { child, output } = start(['--events', '50', '--exit'], { ...embedded, POSTHORN_MAX_IN_FLIGHT: '0' });
    expect(await ended(child)).toBe(1);
    expect(output()).toContain('POSTHORN_MAX_IN_FLIGHT');
  });

  it('on services of the user: starts none of its own; Ctrl-C ends it within 5 s and leaves no process', async () => {
    const dataDir = join(folder, 'own');
    const { child, output } = start(['--events', '50'], {
      POSTHORN_DATA_DIR: dataDir,
      KAFKA_BROKERS: inject('kafkaBrokers'),
      SCHEMA_REGISTRY_URL: inject('schemaRegistryUrl'),
      DATABASE_URL: database.url,
      POSTHORN_TOPIC_PREFIX: uniquePrefix().replace(/\.$/, ''),
      POSTHORN_REPLICATION_FACTOR: '1',
      POSTHORN_MIN_INSYNC_REPLICAS: '1',
    });
    await tableShown(child, output);
    // The demo, standalone, producer, receiver: no Java, no PostgreSQL.
    expect(processesNaming(dataDir).some((line) => /java|postgres/.test(line))).toBe(false);
    await interruptedWithin(5_000, child);
    await expect.poll(() => processesNaming(dataDir)).toEqual([]);
  });

  it('invariant 8: the keys that it made stand in files for them alone, which only their owner may read', async () => {
    const folders = readdirSync(folder);
    expect(folders.length).toBeGreaterThanOrEqual(3);
    // The operator's key stands beside the addresses, for curl (README).
    const homes = folders.flatMap((name) => [join(name, 'keys.json'), join(name, 'addresses.json')]);
    for (const home of homes.filter((one) => existsSync(join(folder, one)))) {
      expect(statSync(join(folder, home)).mode & 0o077).toBe(0);
      const text = readFileSync(join(folder, home), 'utf8');
      if (home.endsWith('addresses.json')) {
        expect(text).not.toContain('masterKeys');
        continue;
      }
      const { operatorKey, masterKeys } = JSON.parse(text) as Record<string, string>;
      useSecret('operator key of a demo', operatorKey ?? '');
      useMasterKeys(masterKeys ?? '');
    }
    const files = filesBelow(folder, 'file', (path) => isIndex(path) || homes.includes(path));
    const places = [...files, { place: 'output', pieces: [Buffer.from(said)] }];
    const { sightings, places: looked } = await searchFor(secretsInUse(), places);
    expect(sightings).toEqual([]);
    expect([...looked.keys()]).toEqual(expect.arrayContaining(['file data/kafka/kafka.log', 'output']));
  });
});

/** Nothing is named: the demo starts its own, also where the tests run on services of the user's. */
const embedded = { KAFKA_BROKERS: '', SCHEMA_REGISTRY_URL: '', DATABASE_URL: '' };

async function tableShown(child: ChildProcess, output: () => string): Promise<void> {
  const deadline = performance.now() + 90_000;
  while (!output().includes('p95') && child.exitCode === null && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  if (!output().includes('p95') || child.exitCode !== null) throw new Error(`no table, or it ended:\n${output()}`);
}

async function interruptedWithin(ms: number, child: ChildProcess): Promise<void> {
  const before = performance.now();
  child.kill('SIGINT');
  await ended(child);
  expect(performance.now() - before).toBeLessThan(ms);
}

const ended = async (child: ChildProcess): Promise<number | null> =>
  child.exitCode ?? ((await once(child, 'exit')) as [number | null])[0];

/** Command lines of running processes that name this folder, there or in their environment. */
function processesNaming(folder: string): readonly string[] {
  const found: string[] = [];
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      if (line.includes(folder) || readFileSync(`/proc/${pid}/environ`, 'utf8').includes(folder)) found.push(line);
    } catch {
      // It has ended meanwhile, or is not ours to look at.
    }
  }
  return found;
}
