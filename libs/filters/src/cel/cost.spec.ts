import { describe, expect, it } from 'vitest';
import type { JsonValue } from '#libs/core';
import { celResult, eventOf } from '../filters.fixture.js';
import { workLimit } from './budget.js';
import { conversionNames } from './conversions.js';
import { loopNames } from './loops.js';
import { methods, textMethods } from './methods.js';

/** Characters or elements that one step may stand for at most, whatever is done with them. */
const perStep = 64;

/** `text` and the like have this size: characters, elements or names. `turns` are how often a loop looks at them. */
const dataOf = (size: number, turns: number): JsonValue => {
  const numbers = Array.from({ length: size }, (_, i) => i);
  const names = () => Object.fromEntries(numbers.map((i) => [`n${i}`, i]));
  // Two equal values of everything, neither of which is the other.
  return {
    turns: Array.from({ length: turns }, (_, i) => i),
    text: 'a'.repeat(size),
    likewise: 'a'.repeat(size),
    capitals: 'A'.repeat(size),
    one: 'a',
    list: numbers,
    sameList: [...numbers],
    map: names(),
    sameMap: names(),
    texts: ['b', 'a'.repeat(size)],
    named: { ['a'.repeat(size)]: 1 },
  };
};

/** What looks at all of a value: `text`, `list` and `map` are as long as they are said to be. */
const expressions = [
  ...['==', '!=', '<', '<=', '>', '>='].map((operator) => `data.text ${operator} data.likewise`),
  ...['==', '!='].flatMap((operator) => [`data.list ${operator} data.sameList`, `data.map ${operator} data.sameMap`]),
  'data.text + data.likewise != data.one',
  '(data.list + data.sameList).size() > 0',
  'data.text in data.texts',
  'data.likewise in data.named',
  'data.named[data.likewise] == 1',
  '-1.0 in data.list || true',
  'size(data.text) > 0',
  'size(data.map) > 0',
  'data.text.matches("b")',
  ...Object.keys(textMethods).map((name) => `data.text.${name}(data.likewise)`),
  ...['size', 'lowerAscii', 'upperAscii', 'trim'].map((name) => `data.text.${name}() != data.one`),
  'data.capitals.lowerAscii() != data.one',
  ...loopNames.flatMap((name) => ['list', 'map'].map((over) => `[data.${over}.${name}(x, ${bodyOf(name)})] != []`)),
];

/** So that no loop ends before the last element. */
function bodyOf(loop: string): string {
  return loop === 'exists' ? 'x == -1.0' : 'x != -1.0';
}

const inLoop = (expression: string): string => `data.turns.all(turn, ${expression} || true)`;
const stepsOf = (expression: string, size: number, turns: number): number =>
  celResult(inLoop(expression), eventOf(dataOf(size, turns))).steps;

describe('an operation costs at least in proportion to what it touches', () => {
  it.each(expressions)('%s', (expression) => {
    for (const [size, turns] of [
      [1_000, 10],
      [1_000, 40],
      [4_000, 10],
      [8_000, 100],
    ] as const) {
      const wanted = Math.min((size * turns) / perStep, workLimit);
      expect(stepsOf(expression, size, turns)).toBeGreaterThanOrEqual(wanted);
    }
  });

  it.each(expressions)('%s is ended when it would touch gigabytes', (expression) => {
    const result = celResult(inLoop(expression), eventOf(hostile));
    expect(result).toEqual({ match: false, error: `More than ${workLimit} steps.`, steps: workLimit });
  });

  it('a list that is written in an expression, by its elements', () => {
    const list = `[${Array.from({ length: 100 }, () => '1').join(',')}]`;
    expect(stepsOf(`${list} != []`, 1, 10)).toBeGreaterThanOrEqual(1_000);
  });

  it.each(conversionNames())('%s() of a text, by its characters, as many as it looks at', (name) => {
    expect(stepsOf(`[${name}(data.text)] != []`, 10, 50)).toBeGreaterThanOrEqual(500);
    expect(stepsOf(`[${name}(data.text)] != []`, 100_000, 50)).toBeGreaterThanOrEqual(50 * 64);
  });
});

it('every method without an argument is of a time, or is tried above', () => {
  const ofTimes = Object.keys(methods).filter((name) => name.startsWith('get'));
  const tried = Object.keys(methods).filter((name) =>
    expressions.some((expression) => expression.includes(`.${name}(`)),
  );
  expect([...ofTimes, ...tried].toSorted()).toEqual(Object.keys(methods).toSorted());
});

const hostile = dataOf(100_000, 30_000);
