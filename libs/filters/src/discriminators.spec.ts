import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SubscriptionIndex, type JsonValue, type Subscription } from '#libs/core';
import { compileFilters, type CompiledFilters } from './compile-filters.js';
import { discriminatingValue, discriminatorsOf } from './discriminators.js';
import type { FilterEvent } from './filter-event.js';
import { eventOf, filtersOf } from './filters.fixture.js';

describe('what must be equal for filters', () => {
  it.each<[unknown[], string[]]>([
    [[], []],
    [[{ exact: { type: 'a', region: 'eu' } }], ['type=a', 'region=eu']],
    [[{ prefix: { type: 'a' } }, { suffix: { type: 'a' } }], []],
    [[{ all: [{ exact: { subject: 's' } }, { all: [{ exact: { id: 'i' } }] }] }], ['subject=s', 'id=i']],
    [[{ any: [{ exact: { subject: 's' } }] }, { not: { exact: { id: 'i' } } }], []],
    [[{ cel: 'data.priority == "high" && data.assignee != null' }], ['data.priority=high']],
    [[{ cel: '"x" == data.a.b && (type == "t" && subject == "s")' }], ['data.a.b=x', 'type=t', 'subject=s']],
    [[{ cel: 'extensions.region == "eu" && extensions["zone"] == "a"' }], ['region=eu']],
    [[{ cel: 'data.a == "x" || data.b == "y"' }], []],
    [[{ cel: '!(data.a == "x")' }], []],
    [[{ cel: 'data.a == "x" ? true : false' }], []],
    [[{ cel: 'data.a == 1 && data.b == data.c && data["d"] == "x" && data == "x"' }], []],
    [[{ cel: 'data.list.exists(x, x == "a" && x.y == "b")' }], []],
    [[{ cel: 'data.list[0].a == "x" && data.a.trim() == "x"' }], []],
  ])('%j: %j', (json, expected) => {
    expect(discriminatorsOf(filtersOf(json)).map(({ path, value }) => `${path}=${value}`)).toEqual(expected);
  });

  it('is found in an event', () => {
    const event = eventOf({ a: { b: 'x', n: 1 }, list: ['y'] }, { extensions: { flag: true, n: 3 } });
    const at = (path: string) => discriminatingValue(event, path);
    expect([at('type'), at('flag'), at('n'), at('data.a.b')]).toEqual(['task.updated', 'true', '3', 'x']);
    for (const path of [
      'subject',
      'constructor',
      'data.a',
      'data.a.n',
      'data.list.0',
      'data.a.b.length',
      'data.toString',
    ])
      expect(at(path)).toBeUndefined();
  });
});

const leaf = fc.constantFrom('a', 'b', 'c');
const expression = fc.letrec<{ cel: string }>((tie) => ({
  cel: fc.oneof(
    { maxDepth: 3 },
    fc
      .tuple(
        fc.constantFrom('data.x', 'data.y.z', 'subject', 'type', 'extensions.region'),
        fc.constantFrom('==', '!='),
        leaf,
      )
      .map(([path, operator, text]) => `${path} ${operator} "${text}"`),
    fc.tuple(tie('cel'), fc.constantFrom('&&', '||'), tie('cel')).map(([a, operator, b]) => `(${a} ${operator} ${b})`),
    tie('cel').map((a) => `!(${a})`),
  ),
})).cel;
const filter = fc.oneof(
  expression.map((cel) => ({ cel })),
  fc.dictionary(fc.constantFrom('subject', 'region', 'id'), leaf, { minKeys: 1 }).map((exact) => ({ exact })),
  fc.tuple(expression, leaf).map(([cel, subject]) => ({ all: [{ cel }, { exact: { subject } }] })),
);
const event = fc
  .record({
    data: fc.record(
      { x: fc.oneof(leaf, fc.constant(1)), y: fc.oneof(fc.record({ z: leaf }), leaf) },
      { requiredKeys: [] },
    ),
    subject: fc.option(leaf, { nil: undefined }),
    extensions: fc.record({ region: leaf }, { requiredKeys: [] }),
  })
  .map(({ data, ...attributes }) => eventOf(data as JsonValue, attributes));

interface Endpoint extends Subscription {
  readonly filters: CompiledFilters;
}

const endpointsOf = (filters: readonly unknown[][]): readonly Endpoint[] =>
  filters.map((json, i) => {
    const parsed = filtersOf(json);
    return {
      endpointId: `ep_${i}`,
      tenantId: 'acme',
      eventTypes: ['*'],
      discriminators: discriminatorsOf(parsed),
      filters: compileFilters(parsed),
    };
  });

function candidatesOf(endpoints: readonly Endpoint[], of: FilterEvent): readonly Endpoint[] {
  const index = new SubscriptionIndex<Endpoint>();
  for (const endpoint of endpoints) index.set(endpoint);
  return index.candidates('acme', of.attributes.type, (path) => {
    const value = discriminatingValue(of, path);
    return value === undefined ? [] : [value];
  });
}

describe('with the index of subscriptions', () => {
  it('no endpoint is left out whose filters match', () => {
    fc.assert(
      fc.property(fc.array(fc.array(filter, { maxLength: 2 }), { maxLength: 8 }), event, (filters, of) => {
        const endpoints = endpointsOf(filters);
        const matching = (among: readonly Endpoint[]) => among.filter((one) => one.filters.matches(of).match);
        expect(matching(candidatesOf(endpoints, of))).toEqual(matching(endpoints));
      }),
      { numRuns: 1_000 },
    );
  });

  it('of 10,000 endpoints the filters of those are evaluated that match', () => {
    const endpoints = endpointsOf(
      Array.from({ length: 10_000 }, (_, i) => [{ cel: `data.project == "p${i % 1_000}" && data.points >= 1` }]),
    );
    const candidates = candidatesOf(endpoints, eventOf({ project: 'p7', points: 1 }));
    expect(candidates.map(({ endpointId }) => endpointId)).toHaveLength(10);
    expect(candidates.every(({ filters }) => filters.matches(eventOf({ project: 'p7', points: 1 })).match)).toBe(true);
  });
});
