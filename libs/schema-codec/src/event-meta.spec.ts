import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compatibilityOf } from './compatibility.js';
import { parseEventFolder, readEventFolder, type FileTexts } from './event-folder.js';
import { parseEventMeta, readEventMeta } from './event-meta.js';

const schema = (type: string, ...fields: object[]): string => {
  const [namespace, name] = type.split('.');
  return JSON.stringify({ type: 'record', namespace, name, fields: [{ name: 'id', type: 'string' }, ...fields] });
};
const n = { name: 'n', type: 'int', default: 0 };
const files = (texts: Record<string, unknown>): FileTexts =>
  new Map(Object.entries(texts).map(([path, text]) => [path, typeof text === 'string' ? text : JSON.stringify(text)]));
const folder = files({ 'a.b.avsc': schema('a.b', n), 'versions/a.b/1.avsc': schema('a.b'), 'c.d.avsc': schema('c.d') });

describe('the folder of events', () => {
  it('has the versions of each type in order, the newest last', () => {
    const { types, faults } = parseEventFolder(folder);
    expect(faults).toEqual([]);
    expect([...types].map(([type, versions]) => [type, versions.map(({ version, path }) => [version, path])])).toEqual([
      [
        'a.b',
        [
          [1, 'versions/a.b/1.avsc'],
          [2, 'a.b.avsc'],
        ],
      ],
      ['c.d', [[1, 'c.d.avsc']]],
    ]);
  });

  it.each<[string, Record<string, unknown>, RegExp[]]>([
    ['is no JSON', { 'a.b.avsc': '{' }, [/^a\.b\.avsc: .*JSON/]],
    ['is no schema', { 'a.b.avsc': { type: 'record' } }, [/^a\.b\.avsc: /]],
    ['is no record', { 'a.b.avsc': '"string"' }, [/^a\.b\.avsc: not the schema of a record/]],
    ['has another name', { 'a.b.avsc': schema('a.c') }, [/^a\.b\.avsc holds the record a\.c/]],
    [
      'leaves a gap',
      { 'a.b.avsc': schema('a.b', n), 'versions/a.b/2.avsc': schema('a.b') },
      [/^versions\/a\.b\/1\.avsc is missing/],
    ],
    [
      'repeats the newest',
      { 'a.b.avsc': schema('a.b'), 'versions/a.b/1.avsc': schema('a.b') },
      [/^a\.b\.avsc is the same as versions\/a\.b\/1\.avsc/],
    ],
    ['lacks the newest', { 'versions/a.b/1.avsc': schema('a.b') }, [/^versions\/a\.b: there is no a\.b\.avsc/]],
  ])('says so when a file %s', (_, texts, expected) => {
    expect(parseEventFolder(files(texts)).faults).toEqual(
      expected.map((pattern) => expect.stringMatching(pattern) as string),
    );
  });
});

describe('what is said about events', () => {
  const { types } = parseEventFolder(folder);
  const metaOf = (meta: unknown) => parseEventMeta(files({ 'a.b.meta.json': meta }), types);
  const active = { owner: 'us', status: 'active', examples: { 1: [{ id: 'x' }], 2: [{ id: 'x', n: 1 }] } };

  it('is owner, status and examples by version', () => {
    const { metas, faults } = metaOf({ ...active, status: 'deprecated', since: '2026-03-01', successor: 'c.d' });
    expect(faults).toEqual([]);
    expect(metas.get('a.b')).toEqual({
      owner: 'us',
      status: 'deprecated',
      since: '2026-03-01',
      successor: 'c.d',
      examples: new Map([
        [1, [{ id: 'x' }]],
        [2, [{ id: 'x', n: 1 }]],
      ]),
    });
    expect(metaOf(active).metas.get('a.b')).toMatchObject({ status: 'active', since: null, successor: null });
  });

  it.each<[string, unknown, RegExp[]]>([
    ['is no JSON', '{', [/^a\.b\.meta\.json: .*JSON/]],
    ['lacks its owner', { ...active, owner: undefined }, [/owner/]],
    ['is deprecated without a day', { ...active, status: 'deprecated', successor: null }, [/since/]],
    ['has a member that nobody knows', { ...active, more: 1 }, [/more/]],
    [
      'names a successor that is not there',
      { ...active, status: 'deprecated', since: '2026-03-01', successor: 'e.f' },
      [/successor e\.f is no event type/],
    ],
    [
      'has an example of no version',
      { ...active, examples: { 3: [] } },
      [/examples\.3: there is no version 3, but 1, 2/],
    ],
    [
      'has examples that are not valid in their version',
      { ...active, examples: { 1: [{ id: 'x' }, { id: 5, n: 1 }] } },
      [/examples\.1\.1\/id must be a string in version 1/, /examples\.1\.1\/n is no field of a\.b in version 1/],
    ],
  ])('says so when it %s', (_, meta, expected) => {
    expect(metaOf(meta).faults).toEqual(expected.map((pattern) => expect.stringMatching(pattern) as string));
  });

  it('speaks of a type that there is', () => {
    expect(parseEventMeta(files({ 'x.y.meta.json': active }), types).faults).toEqual([
      'x.y.meta.json: there is no x.y.avsc that it could speak of',
    ]);
  });
});

describe('schemas/events', () => {
  const events = join(import.meta.dirname, '../../../schemas/events');

  it('says of each type who owns it and gives an example of each version', async () => {
    const types = await readEventFolder(events);
    const metas = await readEventMeta(events);
    expect([...metas.keys()]).toEqual([...types.keys()]);
    for (const [type, versions] of types)
      expect([...metas.get(type)!.examples.keys()]).toEqual(versions.map(({ version }) => version));
    expect(types.get('task.updated')).toHaveLength(3);
    expect(types.get('project.created')).toHaveLength(2);
  });

  it('holds versions that can all be read as each other', async () => {
    for (const versions of (await readEventFolder(events)).values())
      for (const newer of versions)
        for (const older of versions) expect(compatibilityOf(newer.node, older.node)).toEqual([]);
  });
});
