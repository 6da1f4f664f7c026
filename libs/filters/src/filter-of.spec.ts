import { describe, expect, it } from 'vitest';
import { FilterMemory } from './filter-memory.js';
import { filterOf } from './filter-of.js';
import { eventOf } from './filters.fixture.js';

describe('filterOf', () => {
  it('is one object for equal texts', () => {
    const text = '[{"cel":"data.a == 1.0"}]';
    expect(filterOf(text)).toBe(filterOf(text.slice()));
    expect(filterOf(text)).not.toBe(filterOf('[{"cel":"data.a == 2.0"}]'));
  });

  it('says how many steps an answer took', () => {
    const subject = eventOf([1, 2, 3]);
    expect(filterOf('[{"exact":{"id":"e-1"}}]').matches(subject)).toEqual({ match: true, error: null, steps: 0 });
    const { steps } = filterOf('[{"cel":"data.all(a, a > 0.0)"}]').matches(subject);
    expect(steps).toBeGreaterThanOrEqual(3);
    expect(filterOf('[{"cel":"data.all(a, a > 0.0 || a > 1.0)"}]').matches(eventOf([0, 2])).steps).not.toBe(steps);
  });

  it('refuses a text that is none', () => {
    expect(() => filterOf('[{"cel":"data ="}]')).toThrow('its filters cannot be used: /0/cel');
  });

  it('remembers filters by what they take, not by their number', () => {
    const largest = (i: number) => `[{"cel":"${'!'.repeat(280)}(id == \\"${i}\\")"}]`;
    const first = filterOf(largest(0));
    for (let i = 1; i < 500; i += 1) filterOf(largest(i));
    expect(filterOf(largest(0))).toBe(first);
    // Some 80 KB each.
    for (let i = 1; i < 1_000; i += 1) filterOf(largest(i));
    expect(filterOf(largest(0))).not.toBe(first);
  });
});

describe('FilterMemory', () => {
  it('lets go what was asked for least recently, once it has too many bytes', () => {
    const memory = new FilterMemory<number>(10);
    memory.set('a', 1, 4);
    memory.set('b', 2, 4);
    expect(memory.get('a')).toBe(1);
    memory.set('c', 3, 4);
    expect(['a', 'b', 'c'].map((text) => memory.get(text))).toEqual([1, undefined, 3]);
    expect(memory.bytes).toBe(8);
    memory.set('larger than all', 4, 11);
    expect(['a', 'c', 'larger than all'].map((text) => memory.get(text))).toEqual([undefined, undefined, undefined]);
    expect(memory.bytes).toBe(0);
  });
});
