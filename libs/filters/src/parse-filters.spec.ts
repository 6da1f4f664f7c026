import { describe, expect, it } from 'vitest';
import { filtersOf } from './filters.fixture.js';
import { maxFilterBytes, parseFilters } from './parse-filters.js';

const faultsOf = (json: unknown) => {
  const parsed = parseFilters(json);
  return parsed.ok ? [] : parsed.faults;
};
const placesOf = (json: unknown) => faultsOf(json).map(({ pointer, code }) => [pointer, code]);

describe('filters', () => {
  it('may be dialects of CloudEvents and CEL, the one in the other', () => {
    const json = [
      { prefix: { subject: 'task/' } },
      {
        any: [
          { cel: 'data.priority == "high"' },
          { not: { all: [{ cel: 'data.closed' }, { suffix: { type: 'd' } }] } },
        ],
      },
      { cel: 'true' },
    ];
    expect(JSON.parse(filtersOf(json).text)).toEqual(json);
  });

  it('are written in one way', () => {
    expect(filtersOf(JSON.parse('[ { "exact" : {"id":"a"} } ]')).text).toBe('[{"exact":{"id":"a"}}]');
    expect(filtersOf([]).text).toBe('[]');
  });

  it.each<[unknown, string, string]>([
    [null, '', 'wrong-type'],
    [{ cel: 'true' }, '', 'wrong-type'],
    [['true'], '/0', 'wrong-type'],
    [[{ sql: 'x' }], '/0/sql', 'unknown-dialect'],
    [[{ cel: 'true', exact: { id: 'a' } }], '/0', 'invalid'],
    [[{ cel: true }], '/0/cel', 'wrong-type'],
    [[{ cel: '' }], '/0/cel', 'too-small'],
    [[{ all: [{ exact: { id: 'a' } }, { not: { cel: 'data.' } }] }], '/0/all/1/not/cel', 'syntax'],
    [[{ any: [{ cel: 'id + 1 == 2' }] }], '/0/any/0/cel', 'type-mismatch'],
    [[{ cel: 'id' }], '/0/cel', 'type-mismatch'],
    [[{ cel: '"a" + data.x' }], '/0/cel', 'type-mismatch'],
    [[{ cel: 'priority == "high"' }], '/0/cel', 'invalid'],
    [[{ cel: 'data.tags.all(data, true)' }], '/0/cel', 'invalid'],
    [[{ cel: 'data.tags.all("x", true)' }], '/0/cel', 'syntax'],
    [[{ cel: 'has(data)' }], '/0/cel', 'invalid'],
    [[{ cel: '"\ud800" == id' }], '/0/cel', 'invalid'],
    [Array.from({ length: 101 }, () => ({ cel: 'true' })), '/100', 'too-big'],
    [nestedNot(9), `/0${'/not'.repeat(8)}`, 'too-big'],
  ])('%j are refused at %s', (json, pointer, code) => {
    expect(placesOf(json)).toEqual([[pointer, code]]);
  });

  it('are told all their faults, and where in an expression they stand', () => {
    const json = [{ cel: 'priority == "high" &&\n  owner == "Ann"' }, { exact: { id: '' } }, { cel: '(data.a' }];
    expect(faultsOf(json)).toEqual([
      {
        pointer: '/0/cel',
        code: 'invalid',
        detail: "Unknown variable: priority. Fields of an event's data are written data.priority.",
        position: { index: 0, line: 1, column: 1 },
      },
      {
        pointer: '/0/cel',
        code: 'invalid',
        detail: "Unknown variable: owner. Fields of an event's data are written data.owner.",
        position: { index: 24, line: 2, column: 3 },
      },
      { pointer: '/1/exact/id', code: 'too-small', detail: 'Must not be empty.' },
      {
        pointer: '/2/cel',
        code: 'syntax',
        detail: 'Expected RPAREN, got EOF.',
        position: { index: 7, line: 1, column: 8 },
      },
    ]);
  });

  it('are bounded in bytes', () => {
    const one = (i: number) => ({ exact: { id: `${i}`.padStart(800, 'x') } });
    const many = (count: number) => Array.from({ length: count }, (_, i) => one(i));
    expect(filtersOf(many(19)).text.length).toBeLessThan(maxFilterBytes);
    expect(placesOf(many(21))).toEqual([['', 'too-big']]);
  });
});

function nestedNot(depth: number): unknown[] {
  let filter: unknown = { exact: { id: 'a' } };
  for (let i = 1; i < depth; i += 1) filter = { not: filter };
  return [filter];
}
