import { Environment } from '@marcbachmann/cel-js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonValue } from '#libs/core';
import { celResult, compiled, eventOf, said } from '../filters.fixture.js';
import { parseFilters } from '../parse-filters.js';

const data: JsonValue = {
  priority: 'high',
  assignee: null,
  points: 3,
  share: 0.5,
  urgent: true,
  tags: ['a', 'b'],
  parts: [{ size: 1 }, { size: 2 }],
  project: { id: 'p1', owner: { name: 'Ann' } },
  due: '2026-03-01T12:00:00Z',
};
const event = eventOf(data, { subject: 'task/1', extensions: { region: 'eu', count: 3, flag: true } });

describe('CEL over an event', () => {
  it.each<[string, boolean | 'error']>([
    ['data.priority == "high" && data.assignee != null', false],
    ['data.priority == "high" && data.assignee == null', true],
    ['id == "e-1" && source == "/projects/p1" && specversion == "1.0"', true],
    ['type == "task.updated" && type.startsWith("task.") && type in ["a.b", "task.updated"]', true],
    ['subject != null && subject.endsWith("/1")', true],
    ['time == null && tenantid == null && partitionkey == null', true],
    ['time.startsWith("2026")', 'error'],
    ['extensions.region == "eu" && extensions.count == 3 && extensions.flag', true],
    ['extensions.nothing == null && !has(extensions.nothing) && has(extensions.region)', true],
    // Fields that are not there.
    ['data.nothing == null', 'error'],
    ['data.nothing != null', 'error'],
    ['has(data.nothing)', false],
    ['has(data.assignee)', true],
    ['has(data.nothing) && data.nothing == "x"', false],
    ['has(data.nothing.below)', 'error'],
    ['has(data.project.owner.name)', true],
    ['data.assignee.name == "Ann"', 'error'],
    ['data.nothing == "x" || data.urgent', true],
    ['data.nothing == "x" && data.urgent', 'error'],
    ['data.urgent || data.nothing == "x"', true],
    ['!data.urgent && data.nothing == "x"', false],
    // Numbers.
    ['data.points == 3 && data.points >= 3 && data.points < 3.5 && data.share == 0.5', true],
    ['data.points + 1 == 4', 'error'],
    ['data.points + 1.0 == 4.0', true],
    ['int(data.points) + 1 == 4', true],
    ['7 / 2 == 3 && 7 % 2 == 1 && -7 / 2 == -3 && 7.0 / 2.0 == 3.5', true],
    ['1 / 0 == 0', 'error'],
    ['1 % 0 == 0', 'error'],
    ['1.0 / 0.0 > 1.0', true],
    ['double("nan") == double("nan") || double("nan") < 1.0', 'error'],
    ['int("12") == 12 && double("1.5") == 1.5 && string(12) == "12" && string(data.share) == "0.5"', true],
    ['int("x") == 1', 'error'],
    ['bool("true")', true],
    // Texts.
    ['"a" + "b" == "ab" && "abc".contains("b") && size("aé😀") == 3 && "aé😀".size() == 3', true],
    ['"AbÄ".lowerAscii() == "abÄ" && "abä".upperAscii() == "ABä" && " a ".trim() == "a"', true],
    ['data.priority.matches("^h.+h$") && !data.priority.matches("^h$")', true],
    ['data.points.contains("3")', 'error'],
    ['"a" < "b" && "a" <= "a" && "b" > "a" && "b" >= "b"', true],
    // Lists and maps.
    ['"a" in data.tags && data.tags[0] == "a" && data.tags.size() == 2 && !("c" in data.tags)', true],
    ['"owner" in data.project && data.project["id"] == "p1"', true],
    ['data.tags[2] == "a"', 'error'],
    ['data.tags[-1] == "a"', 'error'],
    ['data.tags["length"] == 2.0', 'error'],
    ['data.tags.length == 2.0', 'error'],
    ['data.tags == ["a", "b"] && data.tags + ["c"] == ["a", "b", "c"] && [1, 2.0, "x"] == [1.0, 2, "x"]', true],
    ['data.project == data.project && data.parts[0] != data.parts[1]', true],
    ['data.tags.all(t, t.size() == 1) && data.tags.exists(t, t == "b") && data.tags.exists_one(t, t == "b")', true],
    ['data.parts.map(p, p.size) == [1, 2] && data.parts.map(p, p.size > 1, p.size) == [2]', true],
    ['data.parts.filter(p, p.size > 1).size() == 1 && data.parts.exists(p, data.tags.exists(t, p.size > 1))', true],
    ['data.project.all(name, name in ["id", "owner"])', true],
    ['data.parts.exists(p, p.nothing == 1 || p.size == 2)', true],
    ['data.parts.all(p, p.nothing == 1 || p.size == 2)', 'error'],
    ['data.parts.all(p, p.size == 2 && p.nothing == 1)', false],
    ['data.points.all(p, true)', 'error'],
    // Times.
    ['timestamp(data.due) > timestamp("2026-03-01T11:59:59.999Z")', true],
    ['timestamp(data.due) + duration("1h30m") == timestamp("2026-03-01T13:30:00Z")', true],
    ['timestamp(data.due) - timestamp("2026-03-01T11:00:00+01:00") == duration("2h")', true],
    ['timestamp(data.due).getHours() == 12 && timestamp(data.due).getMonth() == 2', true],
    ['timestamp(data.due).getDayOfWeek() == 0 && timestamp(data.due).getDate() == 1', true],
    ['timestamp("1969-12-31T23:59:59.9999Z").getSeconds() == 59', true],
    ['duration("-1.5s") < duration("0s") && duration("90m").getHours() == 1', true],
    ['timestamp("yesterday") > timestamp(data.due)', 'error'],
    ['duration("1y") > duration("1h")', 'error'],
    // Others.
    ['data.urgent ? data.points > 1 : data.nothing', true],
    ['data.points ? true : false', 'error'],
    ['!data.points', 'error'],
    ['data.points && data.points', 'error'],
    ['data', 'error'],
    ['dyn("x") == 1', false],
    ['data.points == "3"', false],
  ])('%s: %s', (cel, expected) => {
    expect(said(cel, event)).toBe(expected);
  });

  it.each([
    ['data.nothing == 1', 'No such field: nothing'],
    ['data.tags[9] == 1', 'No such element'],
    ['data.priority + 1 == 1', 'No such overload: string + int'],
    ['data.priority.getHours() == 1', 'No such overload: string.getHours()'],
    ['timestamp(data.priority) > timestamp(0)', 'This string cannot be converted to timestamp'],
    ['data.project', 'The expression must say true or false, not map'],
  ])('%s fails with what was wrong, and nothing that is in the event', (cel, error) => {
    expect(celResult(cel, event)).toMatchObject({ match: false, error });
  });

  it('looks at the data of an event only where an expression asks for it', () => {
    const unread = {
      attributes: event.attributes,
      get data(): JsonValue {
        throw new Error('read');
      },
    };
    expect(said('type == "task.updated" || data.urgent', unread)).toBe(true);
    expect(compiled([{ cel: 'type == "a"' }]).readsData).toBe(false);
    expect(compiled([{ not: { any: [{ cel: 'data.urgent' }] } }]).readsData).toBe(true);
  });
});

const atom = fc.constantFrom(
  ...'data.n data.m data.s data.t data.b data.z data.l data.o data.o.k data.gone 1 2 -1 1.5 2.0 "a" "ab" ""'.split(' '),
  ...'true false null ["a","b"] [1,2] []'.split(' '),
);
const { expression } = fc.letrec<{ expression: string }>((tie) => {
  const one = tie('expression');
  return {
    expression: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      atom,
      fc
        .tuple(one, fc.constantFrom('==', '!=', '<', '<=', '>', '>=', '+', '-', '*', '/', '%', '&&', '||', 'in'), one)
        .map(([a, operator, b]) => `(${a} ${operator} ${b})`),
      one.map((a) => `!(${a})`),
      one.map((a) => `-(${a})`),
      fc.tuple(one, one, one).map(([a, b, c]) => `(${a} ? ${b} : ${c})`),
      fc
        .tuple(one, fc.constantFrom('startsWith', 'endsWith', 'contains'), one)
        .map(([a, method, b]) => `(${a}).${method}(${b})`),
      fc
        .tuple(one, fc.constantFrom('all', 'exists', 'exists_one', 'filter', 'map'), one, fc.boolean())
        .map(([a, loop, b, compares]) => `(${a}).${loop}(x, ${compares ? `x == ${b}` : b})`),
      // int("") is 0 in the library.
      fc.tuple(one, fc.constantFrom('size', 'string', 'double', 'bool')).map(([a, name]) => `${name}(${a})`),
      fc.constantFrom('n', 's', 'z', 'gone', 'o.k', 'o.gone', 'gone.k', 's.k').map((name) => `has(data.${name})`),
      fc.tuple(one, one).map(([a, b]) => `(${a})[${b}]`),
    ),
  };
});
const leaf = fc.constantFrom<JsonValue>(null, true, false, 0, 1, 2, 1.5, -1, 'a', 'ab', 'b', '');
const values = fc.record({
  n: leaf,
  m: fc.constantFrom(0, 1, 2, 1.5),
  s: leaf,
  t: fc.constantFrom('a', 'ab'),
  b: fc.boolean(),
  z: fc.constant(null),
  l: fc.array(leaf, { maxLength: 3 }),
  o: fc.record({ k: leaf }),
});

describe('compared with the library that parses it', () => {
  const library = new Environment({ homogeneousAggregateLiterals: false }).registerVariable('data', 'dyn');
  const libraryResult = (cel: string, of: JsonValue): unknown => {
    try {
      return library.evaluate(cel, { data: of });
    } catch {
      return 'error';
    }
  };

  it('says the same, and fails where it fails', () => {
    const compared = { decided: 0, failed: 0 };
    fc.assert(
      fc.property(expression, atom, values, (left, right, of) => {
        const cel = `dyn(${left}) == ${right}`;
        if (!parseFilters([{ cel }]).ok) return;
        const expected = libraryResult(cel, of);
        compared[expected === 'error' ? 'failed' : 'decided'] += 1;
        expect(said(cel, eventOf(of))).toBe(expected);
      }),
      { numRuns: 5_000 },
    );
    expect(compared.decided).toBeGreaterThan(1_000);
    expect(compared.failed).toBeGreaterThan(100);
  });
});
