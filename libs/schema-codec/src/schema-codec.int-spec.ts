/** The codec against the real registry (Apicurio's Confluent API, or the user's own). */
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SchemaRegistry } from '@kafkajs/confluent-schema-registry';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { uniquePrefix } from '#libs/testing';
import { applySchemas } from './apply-schemas.js';
import { connectSchemaCodec, type SchemaCodec } from './connect.js';
import { HttpRegistry } from './http-registry.js';
import { platformSchemas } from './platform-codecs.js';

const registryUrl = inject('schemaRegistryUrl');
const namespace = uniquePrefix().replace(/[^a-zA-Z0-9]/g, '_');
const type = `${namespace}.renamed`;
const registry = new HttpRegistry({ registryUrl }, 5_000);
let folder = '';
let codec: SchemaCodec;

const apply = async (fields: object[], log?: (line: string) => void): Promise<void> => {
  const schema = { type: 'record', namespace, name: 'renamed', fields: [{ name: 'id', type: 'string' }, ...fields] };
  await writeFile(join(folder, `${type}.avsc`), JSON.stringify(schema));
  await applySchemas({ registryUrl, eventsFolder: folder, ...(log === undefined ? {} : { log }) });
};
const added = { name: 'n', type: 'int', default: 3 };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'posthorn-schemas-'));
  await cp(join(import.meta.dirname, '../../../schemas/events'), folder, { recursive: true });
  await apply([]);
  codec = await connectSchemaCodec({ registryUrl });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('schemas apply', () => {
  it('registers under the full names, with the rules of each kind', async () => {
    expect(await registry.compatibility('posthorn.Delivery')).toBe('BACKWARD_TRANSITIVE');
    expect(await registry.compatibility('task.updated')).toBe('FULL_TRANSITIVE');
    expect(await registry.compatibility(type)).toBe('FULL_TRANSITIVE');
    expect(await registry.versions(type)).toEqual([1]);
  });

  it('changes nothing when it is run again', async () => {
    const lines: string[] = [];
    await apply([], (line) => lines.push(line));
    // The platform's, the example's five, and the one of this test.
    const subjects = Object.keys(platformSchemas).length + 5 + 1;
    expect(lines.filter((line) => line.includes(': present'))).toHaveLength(subjects);
    expect(lines.filter((line) => line.includes(': registered'))).toEqual([]);
    expect(await registry.versions(type)).toEqual([1]);
  });

  it('refuses what would break a reader, naming the subject and what the registry said', async () => {
    await expect(apply([{ name: 'n', type: 'int' }])).rejects.toThrow(
      new RegExp(`the registry refuses the new schema of ${type}: .+`),
    );
    expect(await registry.versions(type)).toEqual([1]);
  });

  describe('with several versions', () => {
    let own = '';
    beforeAll(async () => {
      own = await mkdtemp(join(tmpdir(), 'posthorn-versions-'));
    });
    afterAll(() => rm(own, { recursive: true, force: true }));
    const versioned = `${namespace}.versioned`;
    const fieldsOf = (version: number): object[] =>
      Array.from({ length: version - 1 }, (_, i) => ({ name: `f${i}`, type: 'int', default: i }));
    const schemaOf = (version: number) => ({
      type: 'record',
      namespace,
      name: 'versioned',
      fields: [{ name: 'id', type: 'string' }, ...fieldsOf(version)],
    });
    const write = async (newest: number): Promise<void> => {
      const versions = join(own, 'versions', versioned);
      await mkdir(versions, { recursive: true });
      for (let version = 1; version < newest; version += 1)
        await writeFile(join(versions, `${version}.avsc`), JSON.stringify(schemaOf(version)));
      await writeFile(join(own, `${versioned}.avsc`), JSON.stringify(schemaOf(newest)));
    };
    const applied = async (): Promise<string[]> => {
      const lines: string[] = [];
      await applySchemas({ registryUrl, eventsFolder: own, log: (line) => lines.push(line) });
      return lines.filter((line) => line.startsWith(`schema ${versioned}: `));
    };

    it('registers them in the order of their files, and later only what is new', async () => {
      await write(3);
      expect(await applied()).toMatchObject([1, 2, 3].map((version) => expect.stringContaining(`version ${version})`)));
      await write(4);
      expect(await applied()).toEqual([expect.stringMatching(/: registered \(id \d+, version 4\)/)]);
      expect(await applied()).toEqual([expect.stringMatching(/: present \(id \d+, version 4\)/)]);
      for (const version of [1, 2, 3, 4])
        expect(JSON.parse((await registry.version(versioned, version))?.schema ?? '')).toEqual(schemaOf(version));
      expect(await registry.versions(versioned)).toEqual([1, 2, 3, 4]);
      expect(await registry.subjects()).toContain(versioned);
    });

    it('leaves out older ones where a later one is there already, and says so', async () => {
      const other = { ...schemaOf(2), name: 'late' };
      await registry.register(`${namespace}.late`, other);
      const versions = join(own, 'versions', `${namespace}.late`);
      await mkdir(versions, { recursive: true });
      await writeFile(join(versions, '1.avsc'), JSON.stringify({ ...schemaOf(1), name: 'late' }));
      await writeFile(join(own, `${namespace}.late.avsc`), JSON.stringify(other));
      const lines: string[] = [];
      await applySchemas({ registryUrl, eventsFolder: own, log: (line) => lines.push(line) });
      expect(lines.filter((line) => line.startsWith(`schema ${namespace}.late: `))).toEqual([
        expect.stringMatching(/left out versions\/.+late\/1\.avsc.+numbers here differ/),
        expect.stringMatching(/: present \(id \d+, version 2\)/),
      ]);
      expect(await registry.versions(`${namespace}.late`)).toEqual([1]);
    });
  });

  it('tells a registry that does not answer from one that refuses', async () => {
    const nowhere = applySchemas({ registryUrl: 'http://127.0.0.1:1/apis/ccompat/v7', eventsFolder: folder });
    await expect(nowhere).rejects.toMatchObject({ name: 'RegistryUnavailable' });
    await expect(connectSchemaCodec({ registryUrl: 'http://127.0.0.1:1' })).rejects.toThrow(/does not answer/);
  });

  it('names the file that holds no schema', async () => {
    await writeFile(join(folder, 'bad.avsc'), '{"type":"record"}');
    await expect(apply([])).rejects.toThrow(/bad\.avsc/);
    await rm(join(folder, 'bad.avsc'));
  });
});

describe('the codec', () => {
  it('reads any version, and writes JSON in the newest', async () => {
    const first = { type, data: { kind: 'json' as const, value: { id: 'a' } } };
    await codec.ping();
    await codec.events.prepare([first]);
    const old = codec.events.toAvro(first);
    await apply([added]);
    const later = await connectSchemaCodec({ registryUrl });
    if (!old.ok) throw new Error(old.detail);
    const avro = { type, data: { kind: 'avro' as const, bytes: old.bytes } };
    await later.events.prepare([first, avro, { ...first, type: `${namespace}.unknown` }]);
    expect(later.events.toJson(first)).toMatchObject({ ok: true, json: { id: 'a', n: 3 } });
    expect(later.events.toJson(avro)).toMatchObject({ ok: true, json: { id: 'a' } });
    expect(later.events.toJsonAs(avro, 'latest')).toMatchObject({ ok: true, version: 2, json: { id: 'a', n: 3 } });
    expect(later.events.toJsonAs(first, 1)).toMatchObject({ ok: true, version: 1, json: { id: 'a' } });
    expect(later.events.toJsonAs(avro, 3)).toMatchObject({ code: 'unknown-version' });
    expect(await later.events.eventTypes()).toContain(type);
    expect(later.events.toJson({ ...first, type: `${namespace}.unknown` })).toMatchObject({
      code: 'unknown-event-type',
    });
    for (const id of [0, 2_000_000_000, 2 ** 31 - 1, 2 ** 32 - 1]) expect(await later.events.byId(id)).toBeNull();
    for (const name of ['x', '_', `a.${'b'.repeat(253)}`, 'c'.repeat(200_000)])
      expect(await later.events.newest(name)).toBeNull();
  });

  it('takes what is not Avro, or has another name than its subject, for no version', async () => {
    const subject = `${namespace}.other`;
    const register = (body: object): Promise<Response> =>
      fetch(`${registryUrl}/subjects/${subject}/versions`, {
        method: 'POST',
        headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
        body: JSON.stringify(body),
      });
    const schema = JSON.stringify({ $schema: 'http://json-schema.org/draft-07/schema#', type: 'object' });
    expect((await register({ schemaType: 'JSON', schema })).status).toBe(200);
    expect(await registry.versions(subject)).toEqual([1]);
    expect(await registry.version(subject, 1)).toBeNull();
    expect(await codec.events.versionsOf(subject)).toEqual([]);
    expect(await registry.version(subject, 9)).toBeNull();
    expect(await registry.versions(`${namespace}.nothing`)).toBeNull();
  });

  it('agrees with the stock client, both ways', async () => {
    const client = new SchemaRegistry({ host: registryUrl });
    const tenant = { tenantId: 'acme', name: 'Acme', updatedAt: 1_772_366_400_000 };
    const bytes = codec.platform.tenantConfig.encode(tenant);
    expect(await client.decode(bytes)).toEqual(tenant);
    const id = await client.getLatestSchemaId('task.completed');
    const value = {
      taskId: 't',
      projectId: 'p',
      title: 'x',
      completedBy: { id: 'u', name: 'Ada', email: null },
      minutesSpent: 5,
      completedAt: 1_772_366_400_000,
    };
    const event = { type: 'task.completed', data: { kind: 'avro' as const, bytes: await client.encode(id, value) } };
    await codec.events.prepare([event]);
    expect(codec.events.toJson(event)).toMatchObject({
      ok: true,
      json: { ...value, completedAt: '2026-03-01T12:00:00.000Z' },
    });
  });
});
