import { describe, expect, it } from 'vitest';
import { InMemoryRegistry, parseEventFolder, parseEventMeta } from '#libs/schema-codec';
import { changesSince, incompatibilities } from './schema-changes.js';
import { registrationOf } from './schema-registration.js';

const record = (...fields: object[]) => ({
  type: 'record',
  namespace: 'a',
  name: 'b',
  fields: [{ name: 'id', type: 'string' }, ...fields],
});
const [v1, v2, v3] = [
  record(),
  record({ name: 'n', type: 'int', default: 0 }),
  record({ name: 'n', type: 'int', default: 0 }, { name: 'm', type: ['null', 'string'], default: null }),
];
const filesOf = (texts: Record<string, unknown>) =>
  new Map(Object.entries(texts).map(([path, value]) => [path, JSON.stringify(value)]));
const typesOf = (texts: Record<string, unknown>) => parseEventFolder(filesOf(texts)).types;
const changes = (before: Record<string, unknown>, now: Record<string, unknown>) => {
  const types = typesOf(before);
  const { metas } = parseEventMeta(filesOf(before), types);
  return changesSince({ ref: 'abc', types, metas }, typesOf(now));
};
const matching = (...patterns: RegExp[]) => patterns.map((pattern) => expect.stringMatching(pattern) as string);
const one = { 'a.b.avsc': v1 };
const two = { 'a.b.avsc': v2, 'versions/a.b/1.avsc': v1 };

describe('changes since an earlier commit', () => {
  it('are none where nothing changed, and told where a version was added and the former one kept', () => {
    expect(changes(two, two)).toEqual({ lines: [], faults: [], removals: [] });
    expect(changes(one, two)).toEqual({
      lines: ['a.b: version 2 is new', '  added           n: int, default 0'],
      faults: [],
      removals: [],
    });
    expect(changes({}, two).lines).toEqual(['a.b: new, with versions 1 to 2']);
  });

  it('are at fault where the newest changed and was not kept: what to do', () => {
    expect(changes(two, { ...two, 'a.b.avsc': v3 }).faults).toEqual([
      'a.b.avsc changed, but version 2, which it was in abc, was not kept: git show abc:./a.b.avsc > versions/a.b/2.avsc',
    ]);
  });

  it('are at fault where an earlier version was changed or removed', () => {
    const changed = changes(two, { ...two, 'versions/a.b/1.avsc': v3 });
    expect(changed.faults).toEqual(matching(/^versions\/a\.b\/1\.avsc was changed.+git checkout abc -- versions/));
    expect(changed.removals).toEqual([{ type: 'a.b', version: 1 }]);
    const three = { 'a.b.avsc': v3, 'versions/a.b/1.avsc': v1, 'versions/a.b/2.avsc': v2 };
    const removed = changes(three, { 'a.b.avsc': v3 });
    expect(removed.faults).toEqual(
      matching(/1\.avsc was removed/, /2\.avsc was removed/, /^a\.b\.avsc is version 1 now, but was version 3 in abc/),
    );
    expect(removed.removals).toEqual([1, 2].map((version) => ({ type: 'a.b', version })));
  });

  it('are at fault where a type goes that was not deprecated', () => {
    const meta = { owner: 'us', examples: {} };
    const removals = [{ type: 'a.b', version: null }];
    const active = changes({ ...one, 'a.b.meta.json': { ...meta, status: 'active' } }, {});
    expect(active).toMatchObject({ lines: ['a.b: removed'], removals });
    expect(active.faults).toEqual(matching(/^a\.b was removed, but not deprecated before/));
    const status = { status: 'deprecated', since: '2026-03-01', successor: null };
    expect(changes({ ...one, 'a.b.meta.json': { ...meta, ...status } }, {})).toEqual({
      lines: ['a.b: removed'],
      faults: [],
      removals,
    });
  });
});

describe('versions among themselves', () => {
  it('are held to each other, not only to their neighbours', () => {
    const without = (type: string) => record({ name: 'x', type, default: type === 'string' ? '' : 0 });
    const three = {
      'a.b.avsc': without('string'),
      'versions/a.b/1.avsc': without('int'),
      'versions/a.b/2.avsc': record(),
    };
    expect(incompatibilities(typesOf(three))).toEqual(
      matching(
        /^a\.b: version 3 and 1 are not compatible \(backward\): x: older data may be int here/,
        /^a\.b: version 3 and 1 are not compatible \(forward\): x: new data may be string here/,
      ),
    );
  });
});

describe('what a registry would do', () => {
  const registryWith = (...schemas: object[]) => {
    const registry = new InMemoryRegistry();
    for (const schema of schemas) registry.register('a.b', schema);
    return registry;
  };

  it('is nothing where all is registered, under the same numbers', async () => {
    expect(await registrationOf(registryWith(v1, v2), typesOf(two))).toEqual({ lines: [], faults: [] });
  });

  it('is to register what is new, or to refuse it, with the reasons', async () => {
    expect(await registrationOf(registryWith(), typesOf(two))).toEqual({
      lines: ['a.b: versions/a.b/1.avsc would be registered', 'a.b: a.b.avsc would be registered'],
      faults: [],
    });
    const { lines, faults } = await registrationOf(
      registryWith(v1),
      typesOf({ 'a.b.avsc': record({ name: 'n', type: 'int' }) }),
    );
    expect(lines).toEqual(matching(/version 1 of a\.b in the registry is in no file/, /a\.b\.avsc would be refused/));
    expect(faults).toEqual(
      matching(/^a\.b: a\.b\.avsc and the registry's version 1 are not compatible \(backward\): n: .*no default/),
    );
  });

  it('warns of numbers that differ, and says what is left out', async () => {
    expect((await registrationOf(registryWith(v2), typesOf(two))).lines).toEqual(
      matching(
        /^warning: a\.b\.avsc is version 2, but number 1 in the registry/,
        /^a\.b: versions\/a\.b\/1\.avsc would be left out, since a later version is registered/,
      ),
    );
  });
});
