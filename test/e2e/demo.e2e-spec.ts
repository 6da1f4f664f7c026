import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createTestDatabase, uniquePrefix, type TestDatabase } from '#libs/testing';
import { childEnvironment, projectRoot } from '#libs/config';

/** The demo as a user runs it (after the build). Real: everything. */
describe('npm run demo', () => {
  let folder: string;
  let database: TestDatabase;

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
    return { child, output: () => output };
  };
  const ended = async (child: ChildProcess): Promise<number | null> =>
    child.exitCode ?? ((await once(child, 'exit')) as [number | null])[0];

  it('on the embedded runtime: ends with 0 and a table; every matched event reached its end state', async () => {
    const { child, output } = start(['--events', '300', '--exit'], { POSTHORN_DATA_DIR: join(folder, 'data') });
    const code = await ended(child);
    if (code !== 0) throw new Error(`the demo ended with ${code}:\n${output()}`);
    for (const word of ['matched', 'delivered', 'retried', 'p50', 'p95', 'steady', 'flaky', 'slow', 'failing']) {
      expect(output()).toContain(word);
    }
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
    const deadline = performance.now() + 90_000;
    while (!output().includes('p95') && child.exitCode === null && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    expect(output()).toContain('p95');
    expect(child.exitCode).toBe(null);
    const before = performance.now();
    child.kill('SIGINT');
    await ended(child);
    expect(performance.now() - before).toBeLessThan(5_000);
    await expect.poll(() => processesNaming(dataDir)).toEqual([]);
  });
});

/** Command lines and environments of running processes that name this folder. */
function processesNaming(folder: string): readonly string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      try {
        return (
          readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(folder) ||
          readFileSync(`/proc/${pid}/environ`, 'utf8').includes(folder)
        );
      } catch {
        // It has ended meanwhile, or is not ours to look at.
        return false;
      }
    });
}
