import { describe, expect, it } from 'vitest';
import { openSchemaCodec, platformSchemas, InMemoryRegistry } from '#libs/schema-codec';
import { EventMetaFolder } from './event-meta.js';
import { TypeCatalogue } from './type-catalogue.js';

const record = (type: string, ...fields: string[]) => {
  const [namespace, name] = type.split('.');
  return {
    type: 'record',
    namespace,
    name,
    fields: fields.map((field) => ({ name: field, type: 'string', default: '' })),
  };
};
const meta = {
  owner: 'the team',
  status: 'deprecated',
  since: '2026-09-01',
  successor: null,
  examples: new Map(),
} as const;

async function catalogueOf(...types: string[]) {
  const registry = new InMemoryRegistry();
  for (const [subject, schema] of Object.entries(platformSchemas)) registry.register(subject, schema);
  for (const type of types) registry.register(type, record(type, 'a'));
  const clock = { now: 0 };
  const monotonic = (): number => clock.now;
  const warnings: string[] = [];
  let read: () => Promise<Map<string, typeof meta>> = () => Promise.resolve(new Map([['task.updated', meta]]));
  const log = { warn: (_details: object, message: string) => void warnings.push(message) };
  const folder = new EventMetaFolder({ read: () => read(), monotonic, log });
  const { events } = await openSchemaCodec(registry, monotonic);
  return {
    registry,
    clock,
    warnings,
    catalogue: new TypeCatalogue({ registry: events, meta: folder, monotonic }),
    failReading: (): void => {
      read = () => Promise.reject(new Error('broken'));
    },
  };
}

describe('the catalogue of types', () => {
  it('holds what is registered, sorted, with what is said of it, and none of our own records', async () => {
    const { catalogue } = await catalogueOf('task.updated', 'note.added');
    const all = await catalogue.all();
    expect(all.map(({ type, versions }) => [type, versions.length])).toEqual([
      ['note.added', 1],
      ['task.updated', 1],
    ]);
    expect(all.map(({ meta: one }) => [one.owner, one.status, one.deprecated])).toEqual([
      [null, 'active', null],
      ['the team', 'deprecated', { since: '2026-09-01', successor: null }],
    ]);
    await expect(catalogue.get('posthorn.Delivery')).rejects.toMatchObject({ code: 'not-found' });
    await expect(catalogue.get('task.gone')).rejects.toMatchObject({ code: 'not-found' });
    expect(await catalogue.get('task.updated')).toEqual(all[1]);
  });

  it('asks the registry once for many calls, and again after 30 s', async () => {
    const { catalogue, registry, clock } = await catalogueOf('task.updated', 'note.added');
    await Promise.all([catalogue.all(), catalogue.all()]);
    const { requests } = registry;
    expect(await catalogue.all()).toBe(await catalogue.all());
    await catalogue.get('task.updated');
    expect(registry.requests).toBe(requests);
    registry.register('task.updated', record('task.updated', 'a', 'b'));
    clock.now += 30_001;
    expect((await catalogue.all())[1]?.versions).toHaveLength(2);
  });

  it('goes on with what it knows while the registry is away, and says so when it knows nothing', async () => {
    const { catalogue, registry, clock } = await catalogueOf('task.updated');
    registry.available = false;
    const away = { code: 'registry-unavailable', headers: { 'retry-after': '2' } };
    await expect(catalogue.all()).rejects.toMatchObject(away);
    await expect(catalogue.get('task.updated')).rejects.toMatchObject(away);
    registry.available = true;
    const all = await catalogue.all();
    registry.available = false;
    clock.now += 30_001;
    expect(await catalogue.all()).toBe(all);
    const { requests } = registry;
    await catalogue.all();
    expect(registry.requests).toBe(requests);
  });

  it('gives for pins what is no older than 10 s, and nothing while the registry is away', async () => {
    const { catalogue, registry, clock } = await catalogueOf('task.updated', 'note.added');
    const tasks = () => catalogue.current((type) => type.startsWith('task.'));
    expect(await tasks()).toEqual([{ type: 'task.updated', versions: [1] }]);
    registry.register('task.updated', record('task.updated', 'a', 'b'));
    clock.now += 10_001;
    expect(await tasks()).toEqual([{ type: 'task.updated', versions: [1, 2] }]);
    // A type that came a moment ago is there at once.
    registry.register('task.removed', record('task.removed', 'a'));
    expect((await tasks()).map(({ type }) => type)).toEqual(['task.removed', 'task.updated']);
    registry.available = false;
    await expect(tasks()).rejects.toMatchObject({ code: 'registry-unavailable' });
  });

  it('does without what is said of types when it cannot be read, and keeps what it had', async () => {
    const { catalogue, clock, warnings, failReading } = await catalogueOf('task.updated');
    expect((await catalogue.get('task.updated')).meta.owner).toBe('the team');
    failReading();
    clock.now += 30_001;
    expect((await catalogue.get('task.updated')).meta.owner).toBe('the team');
    expect(warnings).toHaveLength(1);
  });
});
