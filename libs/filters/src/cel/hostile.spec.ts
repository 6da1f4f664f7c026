import { describe, expect, it } from 'vitest';
import type { JsonValue } from '#libs/core';
import { celResult, compiled, eventOf, said } from '../filters.fixture.js';
import { parseFilters } from '../parse-filters.js';
import { Budget, workLimit } from './budget.js';
import { celLimits } from './language.js';
import { Pattern, patternLimits } from './pattern.js';

const faultsOf = (cel: string) => {
  const parsed = parseFilters([{ cel }]);
  return parsed.ok ? [] : parsed.faults.map(({ code, detail }) => `${code}: ${detail}`);
};
const nested = (depth: number): JsonValue => {
  let value: JsonValue = 1;
  for (let i = 0; i < depth; i += 1) value = [value];
  return value;
};
const megabyte = 'a'.repeat(1 << 20);
const big: JsonValue = {
  numbers: Array.from({ length: 100_000 }, (_, i) => i),
  some: Array.from({ length: 10_000 }, (_, i) => i),
  likewise: Array.from({ length: 10_000 }, (_, i) => i),
  texts: Array.from({ length: 1_000 }, () => 'a'.repeat(1_000)),
  text: megabyte,
  other: `${'a'.repeat(1 << 19)}b${'a'.repeat(1 << 19)}`.slice(0, 1 << 20),
  names: Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`n${i}`, i])),
  deep: nested(10_000),
  deepToo: nested(10_000),
};

describe('an expression that would take too long over an event of a megabyte', () => {
  it.each([
    'data.numbers.all(a, data.numbers.all(b, a + b >= 0.0))',
    'data.numbers.exists(a, data.numbers.exists(b, a + b < 0.0))',
    // Errors within loops and before || are forgiven; having taken too long is not.
    'data.numbers.exists(a, data.numbers.exists(b, b.nothing))',
    'data.numbers.all(a, data.numbers.exists(b, data.nothing == b) || true) || true',
    'true || data.numbers.all(a, true) ? data.numbers.map(a, data.numbers).size() > 0 && data.numbers.all(a, a in data.numbers) : true',
    'data.numbers.map(a, data.numbers + data.numbers).size() > 0',
    'data.numbers.filter(a, a in data.numbers).size() > 0',
    'data.numbers == data.numbers + [1]',
    'data.some.all(a, data.some == data.likewise)',
    'data.names.all(a, a in data.names && size(data.names) > 0)',
    'data.names == data.names && data.names != data.names',
    'data.texts.all(a, data.texts.all(b, a == b))',
    'data.texts.all(a, data.texts.all(b, a <= b))',
    'data.texts.map(a, data.text + a).size() > 0',
    'data.texts.map(a, data.texts.map(b, a + b)).size() > 0',
    'data.text.contains(data.other)',
    'data.other.contains("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")',
    'data.text.lowerAscii() == "a"',
    'size(data.text) == 1',
    'data.some.all(a, timestamp("2026-01-01T00:00:00Z") > timestamp(0))',
    'data.some.all(a, duration("1h2m3s4ms5us6ns1h2m3s4ms5us6ns") > duration("1s"))',
    'data.text.matches("(a+)+$")',
    'data.text.matches("(a|aa)*b")',
    'data.deep == data.deepToo',
    'data.deep in [data.deepToo]',
  ])('%s is ended', (cel) => {
    const result = celResult(cel, eventOf(big));
    expect(result.match).toBe(false);
    expect(result.error).toMatch(/^(More than 100000 steps|Compared values are nested deeper than 100)\.$/);
  });

  it('all expressions of an endpoint share the steps', () => {
    const loop = { cel: 'data.all(a, a >= 0.0)' };
    const list = Array.from({ length: 20_000 }, (_, i) => i);
    expect(parseAndMatch([loop], list).error).toBeNull();
    expect(parseAndMatch([loop, loop, loop], list)).toMatchObject({ match: false, error: 'More than 100000 steps.' });
    expect(parseAndMatch([{ any: [{ not: loop }, loop, loop] }], list).match).toBe(true);
  });

  it('nothing is looked at any more once it has taken too long, whatever stands around it', () => {
    let looks = 0;
    const one = {
      get value() {
        looks += 1;
        return 1;
      },
    };
    const event = eventOf(Array.from({ length: 1_000 }, () => one));
    const loop = 'data.exists(a, data.exists(b, b.value < 0.0 || b.nothing == 1) || true && a.nothing) || true';
    expect(celResult(loop, event)).toMatchObject({ match: false, error: 'More than 100000 steps.' });
    expect(looks).toBeGreaterThan(1_000);
    expect(looks).toBeLessThan(workLimit / 4);
  });

  it('what a filter usually asks takes a few steps', () => {
    const event = eventOf({ priority: 'high', assignee: 'ann', tags: ['a', 'b'] });
    expect(celResult('data.priority == "high" && data.assignee != null', event).steps).toBeLessThanOrEqual(5);
    expect(celResult('"b" in data.tags || data.priority.matches("^h")', event).steps).toBeLessThanOrEqual(10);
  });
});

describe('an expression that is too much in itself', () => {
  it.each([
    ['deep parentheses', `${'('.repeat(1_000)}true${')'.repeat(1_000)}`, 'too-big'],
    ['a thousand negations', `${'!'.repeat(3_900)}true`, 'too-big'],
    ['a thousand minus signs', `${'-'.repeat(3_900)}1 == 1`, 'too-big'],
    ['a long chain', Array.from({ length: 400 }, () => 'true').join('&&'), 'too-big'],
    ['deep fields', `data${'.a'.repeat(100)} == 1`, 'too-big'],
    ['deep lists', `${'['.repeat(100)}1${']'.repeat(100)} == data`, 'too-big'],
    ['many arguments', `size(${'1,'.repeat(50)}1) == 1`, 'too-big'],
    ['a long list', `1 in [${'1,'.repeat(500)}1]`, 'too-big'],
    ['three loops', 'data.all(a, data.all(b, data.all(c, true)))', 'too-big'],
    ['a huge int', `data == ${'9'.repeat(1_000)}`, 'too-big'],
    ['an int beyond 64 bits', 'data == 9223372036854775808', 'too-big'],
    ['a huge double', `data == ${'9'.repeat(1_000)}.0`, 'syntax'],
    ['a long text', `data == "${'a'.repeat(celLimits.text)}"`, 'too-big'],
    ['a long pattern', `data.matches("${'a'.repeat(patternLimits.text + 1)}")`, 'invalid'],
    ['a pattern that is written out too long', `data.matches("${'a{1000}'.repeat(28)}")`, 'invalid'],
    ['a pattern that repeats too often', 'data.matches("((a{1,30}){1,30}){1,2}")', 'invalid'],
    ['a pattern that RE2 does not have', String.raw`data.matches("(a)\\1")`, 'invalid'],
    ['a pattern of the event', 'data.matches(data)', 'invalid'],
    ['too many patterns', Array.from({ length: 6 }, () => 'data.matches("a")').join('||'), 'too-big'],
    ['a map', '{"a": 1} == data', 'too-big'],
    ['bytes', 'b"a" == data', 'invalid'],
    ['a text with a zero byte', '"\0" == data', 'invalid'],
  ])('%s: %s', (_name, cel, code) => {
    expect(faultsOf(cel).map((fault) => fault.split(':')[0])).toEqual([code]);
  });

  it('in all its expressions together', () => {
    const long = `data == "${'a'.repeat(celLimits.text - 20)}"`;
    const parsed = parseFilters(Array.from({ length: 3 }, () => ({ cel: long })));
    expect(parsed).toMatchObject({ ok: false, faults: [{ pointer: '/2/cel', code: 'too-big' }] });
    const patterns = parseFilters(Array.from({ length: 6 }, () => ({ cel: 'data.matches("a")' })));
    expect(patterns).toMatchObject({ ok: false, faults: [{ pointer: '/5/cel', code: 'too-big' }] });
  });

  it('in its nodes and in the instructions of its patterns, told once', () => {
    const negations = (count: number) => ({ cel: `${'!'.repeat(count - 1)}data` });
    const tooMany = (filters: unknown[]) => {
      const parsed = parseFilters(filters);
      return parsed.ok ? [] : parsed.faults.map(({ pointer, code, detail }) => `${pointer} ${code}: ${detail}`);
    };
    const half = celLimits.nodes / 2;
    expect(tooMany([negations(half), { any: [negations(half)] }])).toEqual([]);
    const nodes = `/1/cel too-big: At most ${celLimits.nodes} nodes in all.`;
    expect(tooMany([negations(half), negations(half + 1), { cel: 'data.a == 1' }])).toEqual([nodes]);
    const pattern = (size: number) => ({ cel: `data.matches("a{${size}}")` });
    expect(tooMany([pattern(140), pattern(140)])).toEqual([]);
    const instructions = `/1/cel too-big: At most ${celLimits.instructions} instructions of patterns in all.`;
    expect(tooMany([pattern(140), pattern(160)])).toEqual([instructions]);
  });

  it('is evaluated as deep as it may be written', () => {
    const negations = `${'!'.repeat(celLimits.nodes - 2)}true`;
    expect(said(negations, eventOf(null))).toBe(true);
    expect(said(Array.from({ length: 140 }, () => 'true').join('&&'), eventOf(null))).toBe(true);
  });
});

describe('JavaScript beneath', () => {
  const event = eventOf({ list: [1], text: 'a', map: {}, number: 1 });

  it.each([
    ...['constructor', 'toString', 'valueOf', 'hasOwnProperty', '__proto__', '__defineGetter__', 'prototype'].flatMap(
      (name) => [
        `data.${name} == null`,
        `data.map.${name} == null`,
        `data.list.${name} == null`,
        `data.text.${name} == null`,
        `data.number.${name} == null`,
        `data["${name}"] == null`,
        `data.list["${name}"] == null`,
        `subject.${name} == null`,
      ],
    ),
    'data.constructor.constructor == null',
    'data.text.length == 1.0',
    'data.list.length == 1.0',
    'data.list["0"] == 1',
    'data.list[0.5] == 1',
  ])('%s reaches nothing of it', (cel) => {
    expect(said(cel, event)).toBe('error');
  });

  it('none of its names is an extension, nor in a map', () => {
    for (const name of ['constructor', 'toString', '__proto__']) {
      expect(said(`extensions.${name} == null`, event)).toBe(true);
      expect(said(`has(extensions.${name}) || has(data.${name}) || "${name}" in data`, event)).toBe(false);
    }
  });

  it('none of its functions is a function of CEL', () => {
    for (const call of [
      'constructor("x")',
      'toString()',
      '__proto__()',
      'hasOwnProperty("x")',
      'at(0)',
      'replace("a", "b")',
    ])
      expect(faultsOf(`data.${call} == 1`)).toEqual([
        expect.stringMatching(/^invalid: .* is not available in filters/),
      ]);
    for (const call of ['constructor(1)', 'toString(1)', 'eval("1")', 'require("fs")', 'Function("1")', 'valueOf(1)'])
      expect(faultsOf(`${call} == 1`)).toEqual([expect.stringMatching(/^invalid: .* is not available in filters/)]);
    for (const name of ['globalThis', 'process', 'constructor', 'google', 'cel', 'int'])
      expect(faultsOf(`${name} == 1`)).toEqual([expect.stringMatching(/^invalid: Unknown variable/)]);
  });

  it('an event may have fields of these names', () => {
    const named = eventOf(JSON.parse('{"constructor": {"__proto__": "x"}, "length": 2}') as JsonValue);
    expect(said('data.constructor.__proto__ == "x" && data.length == 2', named)).toBe(true);
    expect(said('data == data && size(data) == 2 && data.exists(name, name == "constructor")', named)).toBe(true);
  });
});

describe('values out of range', () => {
  it.each([
    '9223372036854775807 + 1 > 0',
    '-9223372036854775807 - 2 < 0',
    '9223372036854775807 * 9223372036854775807 > 0',
    '-(-9223372036854775807 - 1) > 0',
    '(-9223372036854775807 - 1) / -1 > 0',
    'int(1e300) > 0',
    'int("99999999999999999999") > 0',
    'timestamp(9223372036854775807) > timestamp(0)',
    'timestamp("9999-12-31T23:59:59Z") + duration("24h") > timestamp(0)',
    'timestamp("0001-01-01T00:00:00Z") - duration("1s") < timestamp(0)',
    'duration("99999999999999999999h") > duration("0s")',
    'duration("1h".lowerAscii() + "1".trim()) > duration("0s")',
    'duration("9999999h") + duration("99999999h") > duration("0s")',
    `duration("${'1h'.repeat(100)}") > duration("0s")`,
    `double("${'1'.repeat(100)}") > 0.0`,
  ])('%s is an error', (cel) => {
    expect(said(cel, eventOf(null))).toBe('error');
  });
});

describe('a pattern', () => {
  it('costs in proportion to the text and to its size', () => {
    const event = (length: number) => eventOf({ text: 'a'.repeat(length) });
    const steps = (pattern: string, length: number) =>
      celResult(`data.text.matches("${pattern}")`, event(length)).steps;
    expect(steps('(a+)+b', 2_000) / steps('(a+)+b', 1_000)).toBeCloseTo(2, 1);
    expect(steps('(a|b){1,70}c', 1_000)).toBeGreaterThan(steps('a', 1_000) * 1.3);
  });

  it('is the same when its automaton was given back in between', () => {
    const pattern = Pattern.parse('^(a|b)*c$');
    if (typeof pattern === 'string') throw new Error(pattern);
    for (let i = 0; i < 8; i += 1) {
      expect(pattern.isIn(`${'ab'.repeat(500)}c`, new Budget())).toBe(true);
      expect(pattern.isIn(`${'ab'.repeat(500)}cc`, new Budget())).toBe(false);
      other(4_000);
    }
  });
});

const parseAndMatch = (filters: unknown[], data: JsonValue) => compiled(filters).matches(eventOf(data));

/** Lets the automata of all patterns grow. */
function other(characters: number): void {
  expect(said('data.matches("x$")', eventOf('y'.repeat(characters)))).toBe(false);
}
