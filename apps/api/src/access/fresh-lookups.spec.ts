import { beforeEach, describe, expect, it } from 'vitest';
import { FreshLookups } from './fresh-lookups.js';

interface Query {
  readonly names: readonly string[];
  answer(values: Record<string, string>): void;
  fail(error: Error): void;
}

let queries: Query[];
let lookups: FreshLookups<string>;

beforeEach(() => {
  queries = [];
  lookups = new FreshLookups(
    (names) =>
      new Promise((resolve, reject) => {
        queries.push({ names, answer: (values) => resolve(new Map(Object.entries(values))), fail: reject });
      }),
  );
});
const settled = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

describe('FreshLookups', () => {
  it('never answers from a query that began before it was asked', async () => {
    const early = lookups.find('key');
    // It was revoked here: the query that is on its way may not know.
    const late = lookups.find('key');
    expect(queries.map(({ names }) => names)).toEqual([['key'], ['key']]);
    queries[1]?.answer({ key: 'revoked' });
    expect(await late).toBe('revoked');
    queries[0]?.answer({ key: 'in force' });
    expect(await early).toBe('in force');
  });

  it('keeps nothing', async () => {
    for (const value of ['in force', 'revoked']) {
      const found = lookups.find('key');
      queries.at(-1)?.answer({ key: value });
      expect(await found).toBe(value);
    }
  });

  it('has a few queries on their way, however many ask: the others share the next one', async () => {
    const found = Array.from({ length: 100 }, (_, i) => lookups.find(`key-${i % 10}`));
    await settled();
    expect(queries).toHaveLength(4);
    queries[2]?.answer({ 'key-2': 'two' });
    await settled();
    expect(queries).toHaveLength(5);
    expect(queries[4]?.names.toSorted()).toEqual(Array.from({ length: 10 }, (_, i) => `key-${i}`));
    // It has begun: who comes now has to wait for another.
    const late = lookups.find('key-0');
    for (const one of queries.slice(0, 5)) one.answer({ 'key-0': 'old', 'key-3': 'three' });
    await settled();
    queries[5]?.answer({ 'key-0': 'new' });
    expect(await late).toBe('new');
    expect((await Promise.all(found)).slice(0, 4)).toEqual(['old', null, 'two', 'three']);
  });

  it('passes a failure on to those who waited for that query, and goes on', async () => {
    const found = Array.from({ length: 6 }, () => lookups.find('key').catch((error: Error) => error.message));
    await settled();
    queries[0]?.fail(new Error('away'));
    await settled();
    for (const one of queries.slice(1)) one.answer({ key: 'here' });
    expect(await Promise.all(found)).toEqual(['away', 'here', 'here', 'here', 'here', 'here']);
  });
});
