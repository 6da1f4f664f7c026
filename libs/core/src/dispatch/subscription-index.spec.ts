import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SubscriptionIndex, type Subscription } from './subscription-index.js';

const segment = fc.constantFrom('task', 'comment', 'added', 'taskforce');
const type = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => segments.join('.'));
const pattern = fc.oneof(
  type,
  type.map((prefix) => `${prefix}.*`),
  fc.constant('*'),
);
const tenantId = fc.constantFrom('acme', 'globex');
const endpointId = fc.constantFrom('ep_1', 'ep_2', 'ep_3', 'ep_4');
const step = fc.oneof(
  fc.record({
    do: fc.constant('set' as const),
    subscription: fc.record({ endpointId, tenantId, eventTypes: fc.array(pattern, { maxLength: 4 }) }),
  }),
  fc.record({ do: fc.constant('delete' as const), endpointId }),
  fc.record({ do: fc.constant('match' as const), tenantId, type }),
);

/** The rule, said as simply as possible. */
const wants = ({ eventTypes }: Subscription, of: string): boolean =>
  eventTypes.some((one) => one === '*' || one === of || (one.endsWith('.*') && of.startsWith(one.slice(0, -1))));

describe('SubscriptionIndex', () => {
  it('matches what a search through all endpoints finds, whatever changes between', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
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
            const expected = [...model.values()].filter((s) => s.tenantId === one.tenantId && wants(s, one.type));
            expect(index.match(one.tenantId, one.type)).toEqual(
              expected.sort((a, b) => a.endpointId.localeCompare(b.endpointId)),
            );
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
});
