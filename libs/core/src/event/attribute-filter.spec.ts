import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { filterLimits, parseAttributeFilter } from './attribute-filter.js';
import type { EventEnvelope } from './cloud-event.js';

const anEvent = (changes: Partial<EventEnvelope> = {}): EventEnvelope => ({
  id: 'e-1',
  source: '/projects/p1',
  type: 'task.updated',
  extensions: {},
  data: { kind: 'json', value: null },
  ...changes,
});

const matches = (filter: unknown, event: EventEnvelope): boolean => {
  const parsed = parseAttributeFilter(filter);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults));
  return parsed.matches(event);
};
const faultsOf = (filter: unknown): [string, string][] => {
  const parsed = parseAttributeFilter(filter);
  return parsed.ok ? [] : parsed.faults.map(({ pointer, code }) => [pointer, code]);
};

type Filter = { readonly [dialect: string]: Record<string, string> | readonly Filter[] | Filter };

const name = fc.constantFrom('id', 'source', 'type', 'subject', 'region', 'flag', 'count', 'missing');
const text = fc.constantFrom('a', 'b', 'ab', 'ba', 'true', '1', '12', 'A');
const attributes = fc.dictionary(name, text, { minKeys: 1, maxKeys: 3 });
const { filter } = fc.letrec<{ filter: Filter }>((tie) => ({
  filter: fc.oneof(
    { maxDepth: 4 },
    ...['exact', 'prefix', 'suffix'].map((dialect) => attributes.map((one): Filter => ({ [dialect]: one }))),
    ...['all', 'any'].map((dialect) =>
      fc.array(tie('filter'), { minLength: 1, maxLength: 3 }).map((of): Filter => ({ [dialect]: of })),
    ),
    tie('filter').map((of): Filter => ({ not: of })),
  ),
}));
const event = fc
  .record({ id: text, source: text, type: text, subject: fc.option(text, { nil: undefined }), region: text })
  .chain(({ region, ...same }) =>
    fc
      .record({ flag: fc.boolean(), count: fc.constantFrom(1, 12, -1) })
      .map((more): EventEnvelope => anEvent({ ...same, extensions: { region, ...more } })),
  );

/** The rule, said as simply as possible: over all attributes as text. */
function model(of: Filter, values: Readonly<Record<string, string>>): boolean {
  const [dialect, operand] = Object.entries(of)[0]!;
  const entries = (compare: (value: string, wanted: string) => boolean) =>
    Object.entries(operand as Record<string, string>).every(
      ([key, wanted]) => key in values && compare(values[key]!, wanted),
    );
  if (dialect === 'exact') return entries((value, wanted) => value === wanted);
  if (dialect === 'prefix') return entries((value, wanted) => value.slice(0, wanted.length) === wanted);
  if (dialect === 'suffix') return entries((value, wanted) => value.slice(-wanted.length) === wanted);
  if (dialect === 'all') return !(operand as Filter[]).some((one) => !model(one, values));
  if (dialect === 'any') return (operand as Filter[]).some((one) => model(one, values));
  return !model(operand as Filter, values);
}

const textsOf = ({ id, source, type, subject, extensions }: EventEnvelope): Record<string, string> => ({
  id,
  source,
  type,
  ...(subject === undefined ? {} : { subject }),
  ...Object.fromEntries(Object.entries(extensions).map(([key, value]) => [key, `${value}`])),
});

describe('a filter over attributes', () => {
  it('says what the simplest reading of it says', () => {
    fc.assert(
      fc.property(filter, event, (one, of) => {
        expect(matches(one, of)).toBe(model(one, textsOf(of)));
      }),
      { numRuns: 1_000 },
    );
  });

  it('may be an array, all of which must match', () => {
    const two = [{ prefix: { type: 'task.' } }, { not: { exact: { subject: 's' } } }];
    expect(matches(two, anEvent())).toBe(true);
    expect(matches(two, anEvent({ subject: 's' }))).toBe(false);
    expect(matches([], anEvent())).toBe(true);
  });

  it('sees every attribute of CloudEvents, and nothing that the event does not have itself', () => {
    const full = anEvent({
      time: '2026-01-01T00:00:00Z',
      tenantid: 'acme',
      partitionkey: 'k',
      datacontenttype: 'application/json',
      dataschema: 'urn:x',
    });
    const exact = (attribute: string, value: string) => matches({ exact: { [attribute]: value } }, full);
    expect(exact('time', '2026-01-01T00:00:00Z')).toBe(true);
    expect(exact('tenantid', 'acme')).toBe(true);
    expect(exact('partitionkey', 'k')).toBe(true);
    expect(exact('datacontenttype', 'application/json')).toBe(true);
    expect(exact('dataschema', 'urn:x')).toBe(true);
    expect(exact('specversion', '1.0')).toBe(true);
    expect(matches({ prefix: { constructor: 'function' } }, full)).toBe(false);
    expect(matches({ prefix: { extensions: '[' } }, full)).toBe(false);
  });
});

describe('a filter that cannot be used', () => {
  it.each<[unknown, string, string]>([
    [null, '', 'wrong-type'],
    ['exact', '', 'wrong-type'],
    [{}, '', 'invalid'],
    [{ exact: { id: 'a' }, prefix: { id: 'a' } }, '', 'invalid'],
    [{ sql: 'x' }, '/sql', 'unknown-dialect'],
    [{ __proto__: null, ['a/b~c']: 1 }, '/a~1b~0c', 'unknown-dialect'],
    [{ exact: [] }, '/exact', 'wrong-type'],
    [{ exact: {} }, '/exact', 'too-small'],
    [{ exact: { id: 1 } }, '/exact/id', 'wrong-type'],
    [{ suffix: { id: '' } }, '/suffix/id', 'too-small'],
    [{ prefix: { data: 'x' } }, '/prefix/data', 'invalid'],
    [{ prefix: { 'Data/x': 'x' } }, '/prefix/Data~1x', 'invalid'],
    [{ exact: { id: 'a\0' } }, '/exact/id', 'invalid'],
    [{ exact: { id: '\ud800' } }, '/exact/id', 'invalid'],
    [{ exact: { id: 'x'.repeat(filterLimits.text + 1) } }, '/exact/id', 'too-big'],
    [{ all: [] }, '/all', 'too-small'],
    [{ any: { exact: { id: 'a' } } }, '/any', 'wrong-type'],
    [{ not: [{ exact: { id: 'a' } }] }, '/not', 'wrong-type'],
    [{ any: [{ exact: { id: 'a' } }, { not: { exists: 'id' } }] }, '/any/1/not/exists', 'unknown-dialect'],
    [[{ exact: { id: 'a' } }, 7], '/1', 'wrong-type'],
  ])('%j is refused at %s', (one, pointer, code) => {
    expect(faultsOf(one)).toEqual([[pointer, code]]);
  });

  it('is told all its faults at once', () => {
    expect(faultsOf({ all: [{ exact: { id: '' } }, { near: {} }] })).toEqual([
      ['/all/0/exact/id', 'too-small'],
      ['/all/1/near', 'unknown-dialect'],
    ]);
  });

  it('is bounded in depth and size, however it is built', () => {
    const nested = (depth: number): Filter => (depth === 1 ? { exact: { id: 'a' } } : { not: nested(depth - 1) });
    expect(faultsOf(nested(filterLimits.depth))).toEqual([]);
    expect(faultsOf(nested(filterLimits.depth + 1))).toEqual([['/not'.repeat(filterLimits.depth), 'too-big']]);
    const one = { exact: { id: 'a' } };
    const wide = (count: number) => Array.from({ length: count }, () => one);
    expect(faultsOf(wide(filterLimits.expressions))).toEqual([]);
    expect(faultsOf(wide(100_000))).toEqual([[`/${filterLimits.expressions}`, 'too-big']]);
    const many = Object.fromEntries(Array.from({ length: 250 }, (_, i) => [`a${i}`, 'x']));
    expect(faultsOf([{ exact: many }, { exact: many }])).toEqual([['/0/exact', 'too-big']]);
  });
});
