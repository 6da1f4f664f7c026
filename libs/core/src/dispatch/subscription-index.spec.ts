import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SubscriptionIndex } from './subscription-index.js';
import type { Discriminator, Subscription } from './subscription.js';

/** Few, so that what is remembered of one meets changes. */
const type = fc.constantFrom('task', 'task.added', 'task.comment.added', 'taskforce.added', 'comment');
const pattern = fc.oneof(
  type,
  type.map((prefix) => `${prefix}.*`),
  fc.constant('*'),
);
const tenantId = fc.constantFrom('acme', 'globex');
const endpointId = fc.constantFrom('ep_1', 'ep_2', 'ep_3', 'ep_4');
const path = fc.constantFrom('type', 'subject', 'data.kind');
const value = fc.constantFrom('a', 'b', 'c');
const discriminators = fc.array(fc.record({ path, value }), { maxLength: 3 });
const step = fc.oneof(
  fc.record({
    do: fc.constant('set' as const),
    subscription: fc.record({
      endpointId,
      tenantId,
      eventTypes: fc.array(pattern, { maxLength: 4 }),
      discriminators,
    }),
  }),
  fc.record({ do: fc.constant('delete' as const), endpointId }),
  fc.record({
    do: fc.constant('match' as const),
    tenantId,
    type,
    // Several where versions of the event differ.
    event: fc.dictionary(path, fc.uniqueArray(value, { maxLength: 2 })),
  }),
);

const has = (event: Record<string, readonly string[]>, { path: at, value: text }: Discriminator): boolean =>
  event[at]?.includes(text) === true;

/** The rule, said as simply as possible. */
const wants = ({ eventTypes }: Subscription, of: string): boolean =>
  eventTypes.some((one) => one === '*' || one === of || (one.endsWith('.*') && of.startsWith(one.slice(0, -1))));

describe('SubscriptionIndex', () => {
  it('matches what a search through all endpoints finds, whatever changes between', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
        const index = new SubscriptionIndex<Subscription>();
        const model = new Map<string, Subscription>();
        for (const one of steps) {
          if (one.do === 'set') {
            index.set(one.subscription);
            model.set(one.subscription.endpointId, one.subscription);
          } else if (one.do === 'delete') {
            index.delete(one.endpointId);
            model.delete(one.endpointId);
          } else {
            const expected = [...model.values()]
              .filter((s) => s.tenantId === one.tenantId && wants(s, one.type))
              .sort((a, b) => a.endpointId.localeCompare(b.endpointId));
            expect(index.match(one.tenantId, one.type)).toEqual(expected);
            const candidates = index.candidates(one.tenantId, one.type, (at) => one.event[at] ?? []);
            const filtered = (among: readonly Subscription[]) =>
              among.filter((s) => s.discriminators?.every((needed) => has(one.event, needed)));
            expect(filtered(candidates)).toEqual(filtered(expected));
            // Each candidate is there for a reason, and once.
            expect(candidates).toEqual(
              expected.filter(({ endpointId: id }) => candidates.some((other) => other.endpointId === id)),
            );
            for (const { discriminators: of = [] } of candidates)
              expect(of.length === 0 || of.some((needed) => has(one.event, needed))).toBe(true);
          }
          expect(index.size).toBe(model.size);
        }
      }),
    );
  });

  it('has the same answer at hand when the same type comes again, and another after a change', () => {
    const index = new SubscriptionIndex<Subscription>();
    index.set({ endpointId: 'ep_1', tenantId: 'acme', eventTypes: ['task.*'] });
    const first = index.match('acme', 'task.updated');
    expect(index.match('acme', 'task.updated')).toBe(first);
    index.set({ endpointId: 'ep_2', tenantId: 'acme', eventTypes: ['*'] });
    expect(index.match('acme', 'task.updated').map((one) => one.endpointId)).toEqual(['ep_1', 'ep_2']);
  });

  it('an endpoint does not want the prefix itself', () => {
    const index = new SubscriptionIndex<Subscription>();
    index.set({ endpointId: 'ep_1', tenantId: 'acme', eventTypes: ['task.*'] });
    expect(index.match('acme', 'task')).toEqual([]);
    expect(index.match('acme', 'tasks.updated')).toEqual([]);
  });

  it('an invalid pattern changes nothing', () => {
    const index = new SubscriptionIndex<Subscription>();
    index.set({ endpointId: 'ep_1', tenantId: 'acme', eventTypes: ['*'] });
    expect(() => index.set({ endpointId: 'ep_1', tenantId: 'acme', eventTypes: ['a*'] })).toThrow(RangeError);
    expect(index.match('acme', 'task')).toHaveLength(1);
  });

  it('looks at the endpoints that an event may be for, and asks once for each path', () => {
    const { index } = tenantOf(10_000);
    const asked: string[] = [];
    const candidates = index.candidates('acme', 'task.updated', (at) => {
      asked.push(at);
      return at === 'data.project' ? ['p7'] : [];
    });
    expect(candidates).toHaveLength(10);
    expect(asked).toEqual(['data.project']);
    expect(index.candidates('acme', 'task.updated', () => [])).toEqual([]);
    expect(index.match('acme', 'task.updated')).toHaveLength(10_000);
  });

  it('finds an endpoint by the discriminator that fewest others have', () => {
    const index = new SubscriptionIndex<Subscription>();
    for (let i = 0; i < 100; i += 1) {
      const needed = [
        { path: 'source', value: '/shared' },
        { path: 'data.project', value: `p${i}` },
      ];
      index.set({ endpointId: `ep_${i}`, tenantId: 'acme', eventTypes: ['*'], discriminators: needed });
    }
    const event: Record<string, string> = { source: '/shared', 'data.project': 'p7' };
    const candidates = index.candidates('acme', 'task.updated', (at) => [event[at] ?? '']);
    // The first one was found by the source, when nobody else was.
    expect(candidates.map((one) => one.endpointId)).toEqual(['ep_0', 'ep_7']);
  });

  it('a change of one endpoint does not touch the others, between two events', () => {
    const { index, looks } = tenantOf(10_000);
    const valuesOf = (): readonly string[] => ['p7'];
    index.candidates('acme', 'task.updated', valuesOf);
    looks.count = 0;
    for (let i = 0; i < 100; i += 1) {
      const added = `ep_new_${i}`;
      const discriminators = [{ path: 'data.project', value: 'p7' }];
      index.set({ endpointId: added, tenantId: 'acme', eventTypes: ['task.*'], discriminators });
      expect(index.candidates('acme', 'task.updated', valuesOf)).toHaveLength(11);
      index.delete(added);
    }
    // Those that are found, ordered among each other; of 10,000.
    expect(looks.count).toBeLessThan(100 * 100);
  });

  it('what is remembered of a type stays when others change', () => {
    const index = new SubscriptionIndex<Subscription>();
    index.set({ endpointId: 'ep_1', tenantId: 'acme', eventTypes: ['task.updated', 'note.*'] });
    const [everyone, plain] = [index.match('acme', 'task.updated'), index.candidates('acme', 'task.updated', () => [])];
    index.set({ endpointId: 'ep_2', tenantId: 'acme', eventTypes: ['task.added', 'comment.*'] });
    index.delete('ep_2');
    expect(index.match('acme', 'task.updated')).toBe(everyone);
    expect(index.candidates('acme', 'task.updated', () => [])).toBe(plain);
    // One that is found by a value is in no list of those without.
    const discriminators = [{ path: 'subject', value: 's' }];
    index.set({ endpointId: 'ep_3', tenantId: 'acme', eventTypes: ['task.updated'], discriminators });
    expect(index.candidates('acme', 'task.updated', () => [])).toBe(plain);
    expect(index.match('acme', 'task.updated').map((one) => one.endpointId)).toEqual(['ep_1', 'ep_3']);
  });
});

/** Ten endpoints for each project; `looks` counts how often any of them is looked at. */
function tenantOf(endpoints: number): { index: SubscriptionIndex<Subscription>; looks: { count: number } } {
  const index = new SubscriptionIndex<Subscription>();
  const looks = { count: 0 };
  for (let i = 0; i < endpoints; i += 1) {
    index.set({
      get endpointId() {
        looks.count += 1;
        return `ep_${i}`;
      },
      tenantId: 'acme',
      eventTypes: ['task.*'],
      discriminators: [{ path: 'data.project', value: `p${i % (endpoints / 10)}` }],
    });
  }
  return { index, looks };
}
