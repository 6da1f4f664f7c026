/** `posthorn schemas check` with real git, a real registry and a real database. */
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { parseConfig } from '#libs/config';
import { connectDatabase, migrate } from '#libs/persistence';
import { applySchemas } from '#libs/schema-codec';
import { createTestDatabase, uniquePrefix } from '#libs/testing';
import { runCli } from './program.js';
import { checkSchemas, type CheckRequest } from './schema-check.js';

const namespace = uniquePrefix().replace(/[^a-zA-Z0-9]/g, '_');
const type = `${namespace}.moved`;
const schemaOf = (...fields: object[]) => ({
  type: 'record',
  namespace,
  name: 'moved',
  fields: [{ name: 'id', type: 'string' }, ...fields],
});
const n = { name: 'n', type: 'int', default: 0 };
const meta = { owner: 'us', status: 'active', examples: {} };

let repository = '';
let folder = '';

const git = (...args: string[]): string =>
  execFileSync('git', ['-C', repository, '-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
const commit = (): string => {
  git('add', '-A');
  git('commit', '-m', 'x', '--no-verify');
  return git('rev-parse', '--short', 'HEAD').trim();
};
const write = async (path: string, value: object): Promise<void> => {
  await mkdir(join(folder, path, '..'), { recursive: true });
  await writeFile(join(folder, path), JSON.stringify(value));
};
const check = async (more: Partial<CheckRequest> = {}): Promise<{ lines: string[]; faults: string }> => {
  const lines: string[] = [];
  const faults = await checkSchemas({ folder, ...more }, (line) => lines.push(line)).then(
    () => '',
    (error: Error) => error.message,
  );
  return { lines, faults };
};

beforeEach(async () => {
  repository = await mkdtemp(join(tmpdir(), 'posthorn-check-'));
  folder = join(repository, 'schemas', 'events');
  await write(`${type}.avsc`, schemaOf());
  await write(`${type}.meta.json`, meta);
});
afterEach(() => rm(repository, { recursive: true, force: true }));

describe('schemas check against git', () => {
  it('goes on without a repository, before the first commit and after it, and says why', async () => {
    expect((await check()).lines[1]).toMatch(/not compared.+no git repository/);
    git('init', '-q');
    expect(await check()).toMatchObject({
      faults: '',
      lines: ['1 event types, 1 versions', expect.stringMatching(/no commit/)],
    });
    commit();
    expect(await check()).toMatchObject({
      faults: '',
      lines: [expect.anything(), expect.stringMatching(/first commit/)],
    });
  });

  it('compares what lies there with the last commit; committed, with the one before the change', async () => {
    git('init', '-q');
    const first = commit();
    await write(`${type}.avsc`, schemaOf(n));
    const unkept = expect.stringContaining(`git show ${first}:./${type}.avsc > versions/${type}/1.avsc`) as string;
    expect((await check()).faults).toEqual(unkept);
    const second = commit();
    // A commit that has nothing to do with schemas is not the last change.
    await writeFile(join(repository, 'other'), 'x');
    commit();
    expect((await check()).faults).toEqual(unkept);
    await write(`versions/${type}/1.avsc`, schemaOf());
    expect((await check({ ref: first })).faults).toBe('');
    expect((await check({ ref: first })).lines.slice(1)).toEqual([
      `compared with ${first}:`,
      `${type}: version 2 is new`,
      '  added           n: int, default 0',
    ]);
    expect((await check({ ref: second })).faults).toMatch(/is version 2 now, but was version 1/);
    expect((await check({ ref: 'nowhere' })).faults).toBe('git knows no commit nowhere');
  });

  it('goes on in a shallow clone', async () => {
    git('init', '-q');
    commit();
    await write(`${type}.meta.json`, { ...meta, owner: 'them' });
    commit();
    const clone = join(repository, 'clone');
    git('clone', '-q', '--depth', '1', `file://${repository}`, clone);
    expect(await check({ folder: join(clone, 'schemas', 'events') })).toMatchObject({
      faults: '',
      lines: [expect.anything(), expect.stringMatching(/this clone is shallow/)],
    });
  });

  it('lists every fault, and ends with 1', async () => {
    await write(`${type}.avsc`, schemaOf({ name: 'n', type: 'int' }));
    await write(`versions/${type}/1.avsc`, schemaOf());
    await write(`${type}.meta.json`, { ...meta, examples: { 1: [{}] } });
    await write('other.avsc', {});
    const { faults } = await check();
    expect(faults).toMatch(
      /3 faults:[^]+other\.avsc: [^]+examples\.1\.0\/id[^]+n: the field is new and has no default/,
    );
    const said: string[] = [];
    const streams = [process.stdout, process.stderr].map((stream) =>
      vi.spyOn(stream, 'write').mockImplementation((text) => said.push(String(text)) > 0),
    );
    const code = await runCli(['schemas', 'check', '--offline', '--folder', folder]);
    await rm(join(folder, 'other.avsc'));
    await write(`${type}.avsc`, schemaOf(n));
    await write(`${type}.meta.json`, meta);
    const mended = await runCli(['schemas', 'check', '--offline', '--folder', folder]);
    const shown = await runCli(['schemas', 'show', type, '--folder', folder]);
    const compared = await runCli(['schemas', 'diff', type, '1', '2', '--folder', folder]);
    const unknown = await runCli(['schemas', 'diff', type, '1', '3', '--folder', folder]);
    for (const stream of streams) stream.mockRestore();
    expect([code, mended, shown, compared, unknown]).toEqual([1, 0, 0, 0, 1]);
    expect(said.join('')).toMatch(
      /owner: us[^]+fields of version 2[^]+n +int[^]+added +n: int[^]+compatible both ways/,
    );
    expect(said.at(-1)).toMatch(/has no version 3, but 1, 2/);
  });
});

describe('schemas check against the registry', () => {
  it('says what would be registered and what would be refused', async () => {
    const registryUrl = inject('schemaRegistryUrl');
    expect((await check({ registry: { registryUrl } })).lines).toContain(`${type}: ${type}.avsc would be registered`);
    await applySchemas({ registryUrl, eventsFolder: folder });
    expect((await check({ registry: { registryUrl } })).lines.filter((line) => line.includes(type))).toEqual([]);
    await write(`versions/${type}/1.avsc`, schemaOf());
    await write(`${type}.avsc`, schemaOf({ name: 'n', type: 'int' }));
    const { lines, faults } = await check({ registry: { registryUrl } });
    expect(lines).toContain(`${type}: ${type}.avsc would be refused`);
    expect(faults).toMatch(/the registry's version 1 are not compatible \(backward\): n/);
    await expect(applySchemas({ registryUrl, eventsFolder: folder })).rejects.toThrow(/refuses/);
  });
});

describe('schemas check against endpoints', () => {
  it('names those whose pin a removal would break', async () => {
    const database = await createTestDatabase();
    await migrate(database.url);
    const tables = await connectDatabase(database.url);
    await tables.session.query(
      `INSERT INTO tenants (id, name, created_at, updated_at) VALUES ('acme', 'Acme', now(), now())`,
    );
    const add = (id: string, types: string[], versions: object, latest: boolean) =>
      tables.session.query(
        `INSERT INTO endpoints (id, tenant_id, url, event_types, description, state, ordering, max_in_flight, timeout_ms,
           retry_delays_ms, retry_jitter, retry_max_delay_ms, revision, created_at, updated_at, versions, latest_by_default)
         VALUES ($1, 'acme', 'http://x', $2, '', 'active', 'none', 1, 1, '{}', 0, 0, 1, now(), now(), $3, $4)`,
        [id, types, JSON.stringify(versions), latest],
      );
    await add('ep_first', [`${namespace}.*`], {}, false);
    await add('ep_latest', [`${namespace}.*`], {}, true);
    await add('ep_one', ['*'], { [type]: 1 }, true);
    await add('ep_two', ['*'], { [type]: 2 }, false);
    await add('ep_zero', [type], { [type]: 0 }, false);
    await tables.close();

    git('init', '-q');
    await write(`versions/${type}/1.avsc`, schemaOf());
    await write(`versions/${type}/2.avsc`, schemaOf(n));
    await write(`${type}.avsc`, schemaOf(n, { name: 'm', type: 'int', default: 0 }));
    const ref = commit();
    const config = parseConfig({ DATABASE_URL: database.url });
    const pins = async (): Promise<string[]> =>
      (await check({ ref, database: config })).faults.split('\n').filter((line) => line.includes('would be gone'));
    await rm(join(folder, `versions/${type}/2.avsc`));
    expect(await pins()).toEqual([
      `  version 2 of ${type} is what 1 endpoints are set to, and would be gone: ep_two (acme)`,
    ]);
    await rm(join(folder, 'versions'), { recursive: true });
    expect(await pins()).toEqual([
      `  version 1 of ${type} is what 2 endpoints are set to, and would be gone: ep_first (acme), ep_one (acme)`,
      `  version 2 of ${type} is what 1 endpoints are set to, and would be gone: ep_two (acme)`,
    ]);
    await rm(join(folder, `${type}.avsc`));
    expect(await pins()).toEqual([
      `  the type ${type} is what 3 endpoints are set to, and would be gone: ep_one (acme), ep_two (acme), ep_zero (acme)`,
    ]);
    await database.drop();
  });
});
