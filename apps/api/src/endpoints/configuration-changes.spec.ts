import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { changesBetween } from './configuration-changes.js';

const policy = fc.option(fc.record({ a: fc.nat({ max: 2 }), b: fc.constantFrom(null, 1) }, { requiredKeys: ['a'] }));
const configuration = fc.record({
  url: fc.constantFrom('x', 'y'),
  list: fc.array(fc.nat({ max: 1 }), { maxLength: 2 }),
  policy,
  reason: fc.constantFrom(null, 'gone'),
});
type Drawn = Readonly<Record<string, unknown>>;

/** Makes `to` out of `from` by what was said to have changed. */
function applied(from: Drawn, changes: ReturnType<typeof changesBetween>): Drawn {
  const result: Record<string, unknown> = { ...from };
  for (const { field, to } of changes) {
    const [name = '', part] = field.split('.');
    result[name] = part === undefined ? to : { ...(result[name] as object), [part]: to };
  }
  return result;
}
/** Null and not there are the same. */
const normal = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value), (_, one: unknown) =>
    typeof one === 'object' && one !== null && !Array.isArray(one)
      ? Object.fromEntries(Object.entries(one).filter(([, member]) => member !== null))
      : one,
  );

describe('changesBetween', () => {
  it('tells all that leads from one configuration to the other, and nothing that does not differ', () => {
    fc.assert(
      fc.property(configuration, configuration, (before, after) => {
        const changes = changesBetween(before, after);
        expect(normal(applied(before, changes))).toEqual(normal(after));
        for (const { from, to } of changes) expect(from).not.toEqual(to);
        expect(changesBetween(after, after)).toEqual([]);
      }),
    );
  });

  it('names parts of a policy, whole policies that come or go, lists and new settings as a whole', () => {
    const before = {
      url: 'a',
      retry: { kind: 'schedule', delaysMs: [1], maxTotalMs: null },
      rateLimit: null,
      types: ['x'],
    };
    const after = {
      types: ['x', 'y'],
      url: 'a',
      filter: 'data.a',
      rateLimit: { limit: 1 },
      retry: { maxTotalMs: 5, delaysMs: [1], kind: 'schedule' },
      later: null,
    };
    expect(changesBetween(before, after)).toEqual([
      { field: 'filter', from: null, to: 'data.a' },
      { field: 'rateLimit', from: null, to: { limit: 1 } },
      { field: 'retry.maxTotalMs', from: null, to: 5 },
      { field: 'types', from: ['x'], to: ['x', 'y'] },
    ]);
  });
});
