import { describe, expect, it, vi } from 'vitest';
import { openEventCatalogue } from './event-catalogue.js';
import { EventSchema } from './event-schema.js';
import { InMemoryRegistry } from './in-memory-registry.js';
import { platformSchemas } from './platform-codecs.js';
import { SchemaResolution } from './schema-resolution.js';

const type = 'task.updated';
const schemaOf = (...fields: object[]) => ({
  type: 'record',
  namespace: 'task',
  name: 'updated',
  fields: [{ name: 'id', type: 'string' }, ...fields],
});
const v1 = schemaOf();
const v2 = schemaOf({ name: 'n', type: 'int', default: 3 });
const v3 = schemaOf(
  { name: 'count', aliases: ['n'], type: 'long', default: 4 },
  { name: 'late', type: ['null', 'string'], default: null },
);

const json = (value: object, of = type) => ({ type: of, data: { kind: 'json' as const, value: value as never } });
const avro = (id: number, ...body: number[]) => ({
  type,
  data: { kind: 'avro' as const, bytes: Buffer.from([0, 0, 0, 0, id, ...body]) },
});
/** `{"id":"a"}` as v1, `{"id":"a","n":5}` as v2. */
const inV1 = (id: number) => avro(id, 2, 0x61);
const inV2 = (id: number) => avro(id, 2, 0x61, 10);

function open(...schemas: object[]) {
  const registry = new InMemoryRegistry();
  const ids = schemas.map((schema) => registry.register(type, schema));
  const clock = { ms: 0 };
  const requestsOf = async (work: () => Promise<unknown>): Promise<number> => {
    const before = registry.requests;
    await work();
    return registry.requests - before;
  };
  return { registry, ids, clock, requestsOf, catalogue: openEventCatalogue(registry, () => clock.ms) };
}

describe('data in a version', () => {
  it('(written by any version) comes in each: pinned to an older, a newer, or the newest', async () => {
    const { catalogue, ids } = open(v1, v2, v3);
    const events = [inV1(ids[0]!), inV2(ids[1]!), json({ id: 'a', count: 9 })];
    await catalogue.prepare(events);
    const shapes = events.map((event) =>
      [1, 2, 3, 'latest' as const].map((version) => catalogue.toJsonAs(event, version)),
    );
    const made = (version: number, value: object) => ({ ok: true, schemaId: ids[version - 1], version, json: value });
    expect(shapes).toEqual([
      [
        made(1, { id: 'a' }),
        made(2, { id: 'a', n: 3 }),
        made(3, { id: 'a', count: 4, late: null }),
        made(3, { id: 'a', count: 4, late: null }),
      ],
      [
        made(1, { id: 'a' }),
        made(2, { id: 'a', n: 5 }),
        made(3, { id: 'a', count: 5, late: null }),
        made(3, { id: 'a', count: 5, late: null }),
      ],
      // The alias is the reader's: to v2, `count` is a field that it does not know.
      [
        made(1, { id: 'a' }),
        made(2, { id: 'a', n: 3 }),
        made(3, { id: 'a', count: 9, late: null }),
        made(3, { id: 'a', count: 9, late: null }),
      ],
    ]);
    expect(catalogue.toJsonAs(events[0]!, 0)).toEqual(shapes[0]![3]);
  });

  it('is not resolved where the version is the one that it was written in, else by a reader compiled once', async () => {
    const { catalogue, ids } = open(v1, v2);
    const decideds = vi.spyOn(SchemaResolution.prototype, 'reads');
    const resolveds = vi.spyOn(EventSchema.prototype, 'decodeAs');
    const events = [inV1(ids[0]!), inV2(ids[1]!)];
    await catalogue.prepare(events);
    expect(events.map((event, i) => catalogue.toJsonAs(event, i + 1).ok)).toEqual([true, true]);
    expect([decideds.mock.calls.length, resolveds.mock.calls.length]).toEqual([0, 0]);
    for (let i = 0; i < 10; i += 1) catalogue.toJsonAs(events[0]!, 2);
    expect([decideds.mock.calls.length, resolveds.mock.calls.length]).toEqual([1, 10]);
    vi.restoreAllMocks();
  });

  it('says which versions there are when the wanted one does not exist', async () => {
    const { catalogue, ids } = open(v1, v2);
    await catalogue.prepare([inV1(ids[0]!)]);
    expect(catalogue.toJsonAs(inV1(ids[0]!), 7)).toEqual({
      ok: false,
      code: 'unknown-version',
      detail: 'task.updated has no version 7: it has 1, 2',
    });
  });

  it('says so when the versions are not compatible, and when the data is damaged', async () => {
    const { catalogue, ids } = open(v1, schemaOf({ name: 'n', type: 'int' }));
    const [old, damaged] = [inV1(ids[0]!), avro(ids[1]!, 2, 0x61)];
    await catalogue.prepare([old, damaged]);
    expect(catalogue.toJsonAs(old, 2)).toMatchObject({ ok: false, code: 'incompatible-version' });
    expect(catalogue.toJsonAs(damaged, 1)).toMatchObject({ ok: false, code: 'invalid-data', faults: [] });
  });

  it('is as it was written when its schema is registered under no version of its type', async () => {
    const { catalogue, registry } = open();
    const id = registry.register('some-topic-value', v1);
    await catalogue.prepare([inV1(id)]);
    expect(catalogue.toJsonAs(inV1(id), 'latest')).toEqual({
      ok: true,
      schemaId: id,
      version: null,
      json: { id: 'a' },
    });
    expect(catalogue.toJsonAs(inV1(id), 1)).toMatchObject({ code: 'unknown-version', detail: /lists none/ });
  });
});

describe('the list of versions', () => {
  it('tells numbers from ids, after it was prepared', async () => {
    const { catalogue, ids } = open(v1, v2);
    expect(() => catalogue.newestVersion(type)).toThrow(expect.objectContaining({ code: 'not-prepared' }) as Error);
    await catalogue.prepare([inV1(ids[0]!), json({}, 'no.such')]);
    expect(ids.map((id) => catalogue.versionOf(id, type))).toEqual([1, 2]);
    expect(catalogue.versionOf(99, type)).toBeNull();
    expect([catalogue.newestVersion(type), catalogue.newestVersion('no.such')]).toEqual([2, 0]);
  });

  it('is asked for again after 30 s, and only what is new is fetched', async () => {
    const { catalogue, ids, registry, clock, requestsOf } = open(v1, v2);
    // The schema that the event names, the list, and the other version (and the first one's number).
    expect(await requestsOf(() => catalogue.prepare([inV1(ids[0]!)]))).toBe(4);
    clock.ms = 29_999;
    expect(catalogue.isPrepared(inV1(ids[0]!))).toBe(true);
    clock.ms = 30_000;
    expect(catalogue.isPrepared(inV1(ids[0]!))).toBe(false);
    registry.register(type, v3);
    expect(await requestsOf(() => catalogue.prepare([json({ id: 'a' })]))).toBe(2);
    expect(catalogue.newestVersion(type)).toBe(3);
  });

  it('is read at once when data comes in a version that it lacks', async () => {
    const { catalogue, ids, registry, clock } = open(v1);
    await catalogue.prepare([inV1(ids[0]!)]);
    clock.ms = 10_000;
    const event = inV2(registry.register(type, v2));
    await catalogue.prepare([event]);
    expect(catalogue.toJsonAs(event, 'latest')).toMatchObject({ version: 2, json: { id: 'a', n: 5 } });
    expect(catalogue.toJsonAs(event, 1)).toMatchObject({ version: 1, json: { id: 'a' } });
  });

  it('does not hold up Avro data while it is refreshed, nor when the registry does not answer', async () => {
    const { catalogue, ids, registry, clock, requestsOf } = open(v1);
    const event = inV1(ids[0]!);
    await catalogue.prepare([event]);
    clock.ms = 30_000;
    const answer = Promise.withResolvers<number[]>();
    const asked = vi.spyOn(registry, 'versions').mockReturnValueOnce(answer.promise);
    registry.register(type, v2);
    await catalogue.prepare([event]);
    expect(catalogue.toJsonAs(event, 'latest')).toMatchObject({ version: 1 });
    answer.resolve([1, 2]);
    await vi.waitFor(() => expect(catalogue.newestVersion(type)).toBe(2));
    registry.available = false;
    clock.ms = 60_000;
    const before = asked.mock.calls.length;
    for (let i = 0; i < 5; i += 1) await catalogue.prepare([event]);
    // Asked for once in 10 s, not by every event.
    expect(asked.mock.calls.length).toBe(before + 1);
    expect(await requestsOf(() => catalogue.prepare([event]))).toBe(0);
    expect(catalogue.toJsonAs(event, 'latest')).toMatchObject({ version: 2 });
  });

  it('is needed for the first event of a type: a silent registry rejects', async () => {
    const { catalogue, ids, registry } = open(v1);
    await catalogue.byId(ids[0]!);
    registry.available = false;
    await expect(catalogue.prepare([inV1(ids[0]!)])).rejects.toMatchObject({ name: 'RegistryUnavailable' });
  });
});

describe('a version that is wanted but not known', () => {
  it('is looked for once, and again after 10 s at the earliest', async () => {
    const { catalogue, ids, registry, clock, requestsOf } = open(v1);
    await catalogue.prepare([inV1(ids[0]!)]);
    clock.ms = 10_000;
    const wanted = [{ type, version: 2 }];
    expect(catalogue.isVersionPrepared(type, 1)).toBe(true);
    expect(catalogue.isVersionPrepared(type, 'latest')).toBe(true);
    expect(catalogue.isVersionPrepared(type, 2)).toBe(false);
    expect(await requestsOf(() => catalogue.prepareVersions(wanted))).toBe(1);
    expect(catalogue.toJsonAs(inV1(ids[0]!), 2)).toMatchObject({ code: 'unknown-version' });
    registry.register(type, v2);
    clock.ms = 19_999;
    expect(catalogue.isVersionPrepared(type, 2)).toBe(true);
    expect(await requestsOf(() => catalogue.prepareVersions(wanted))).toBe(0);
    clock.ms = 20_000;
    expect(await requestsOf(() => catalogue.prepareVersions([...wanted, ...wanted]))).toBe(2);
    expect(catalogue.toJsonAs(inV1(ids[0]!), 2)).toMatchObject({ ok: true, version: 2 });
    clock.ms = 99_999;
    expect(catalogue.isVersionPrepared(type, 2)).toBe(true);
  });

  it('is not given up while the registry does not answer', async () => {
    const { catalogue, ids, registry, clock } = open(v1);
    await catalogue.prepare([inV1(ids[0]!)]);
    clock.ms = 10_000;
    registry.available = false;
    await expect(catalogue.prepareVersions([{ type, version: 2 }])).rejects.toThrow(/does not answer/);
    expect(catalogue.isVersionPrepared(type, 2)).toBe(false);
    expect(catalogue.isVersionPrepared('other.type', 'latest')).toBe(false);
  });
});

describe('what there is', () => {
  it('lists types without the records of the platform, and their versions with their schemas', async () => {
    const { catalogue, registry, ids } = open(v1, v2);
    for (const [subject, schema] of Object.entries(platformSchemas)) registry.register(subject, schema);
    registry.register('comment.added', v1);
    expect(await catalogue.eventTypes()).toEqual(['comment.added', type]);
    const versions = await catalogue.versionsOf(type);
    expect(versions.map(({ version, schemaId, schema }) => [version, schemaId, schema.avro])).toEqual([
      [1, ids[0], v1],
      [2, ids[1], v2],
    ]);
    // Its subject holds a record of another name.
    expect(await catalogue.versionsOf('comment.added')).toEqual([]);
    expect(await catalogue.versionsOf('no.such')).toEqual([]);
    registry.available = false;
    await expect(catalogue.eventTypes()).rejects.toMatchObject({ name: 'RegistryUnavailable' });
    await expect(catalogue.versionsOf('other.type')).rejects.toMatchObject({ name: 'RegistryUnavailable' });
  });
});
