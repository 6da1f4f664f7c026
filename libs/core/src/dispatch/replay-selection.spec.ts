import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAttributeFilter } from '../event/attribute-filter.js';
import type { EventEnvelope } from '../event/cloud-event.js';
import { typeMatcher } from './event-pattern.js';
import { ReplaySelection, type PastPatterns } from './replay-selection.js';

const anEvent = (type: string, subject?: string): EventEnvelope => ({
  id: 'e',
  source: '/s',
  type,
  subject,
  extensions: {},
  data: { kind: 'json', value: null },
});
const aFilter = (filter: unknown) => {
  const parsed = parseAttributeFilter(filter);
  if (!parsed.ok) throw new Error('a filter with faults');
  return parsed.matches;
};
const endpoint = (endpointId: string, ...eventTypes: string[]) => ({ endpointId, tenantId: 'acme', eventTypes });

describe('what a replay sends', () => {
  it('is what it asks for and the endpoint wants', () => {
    const selection = new ReplaySelection({
      tenantId: 'acme',
      eventTypes: ['task.*'],
      filter: aFilter({ not: { exact: { subject: 'x' } } }),
      subscriptions: { asOf: 'now', endpoints: [endpoint('ep_2', '*'), endpoint('ep_1', 'task.updated', 'note.*')] },
    });
    const of = (type: string, subject?: string, tenant = 'acme') =>
      selection.endpointsFor(tenant, anEvent(type, subject), 0);
    expect(of('task.updated')).toEqual(['ep_1', 'ep_2']);
    expect(of('task.created')).toEqual(['ep_2']);
    expect(of('note.added')).toEqual([]);
    expect(of('task.updated', 'x')).toEqual([]);
    expect(of('task.updated', undefined, 'other')).toEqual([]);
  });

  it('is, as configured then, what the configuration in force wanted', () => {
    const pattern = fc.constantFrom('task.*', 'note.added', '*', 'task.updated');
    const version = fc.record({
      endpointId: fc.constantFrom('ep_1', 'ep_2', 'ep_3'),
      since: fc.nat(20),
      eventTypes: fc.option(fc.array(pattern, { maxLength: 2 })),
    });
    fc.assert(
      fc.property(fc.array(version), fc.nat(25), fc.constantFrom('task.updated', 'note.added'), (given, at, type) => {
        const past = given.toSorted((a, b) => a.endpointId.localeCompare(b.endpointId) || a.since - b.since);
        const wish = { tenantId: 'acme', eventTypes: null, filter: null };
        const selection = new ReplaySelection({ ...wish, subscriptions: { asOf: 'then', past } });
        const inForce = new Map<string, PastPatterns>();
        for (const one of past) if (one.since <= at) inForce.set(one.endpointId, one);
        const expected = [...inForce.values()].filter(({ eventTypes }) => typeMatcher(eventTypes ?? [])(type));
        expect(selection.endpointsFor('acme', anEvent(type), at)).toEqual(expected.map(({ endpointId }) => endpointId));
      }),
    );
  });
});
