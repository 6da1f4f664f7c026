import { describe, expect, it } from 'vitest';
import { judge, type Evidence } from './delivery-oracle.js';

const event = { tenantId: 't', id: '1', source: '/s', type: 'task.updated' };
const endpoint = { endpointId: 'ep', tenantId: 't', wants: ({ type }: { type: string }) => type.startsWith('task.') };
const attempt = {
  deliveryId: 'd',
  endpointId: 'ep',
  eventId: '1',
  eventSource: '/s',
  webhookId: 'msg',
  outcome: 'delivered',
  final: true,
};
const receipt = { endpointId: 'ep', webhookId: 'msg', validSignature: true, status: 204 };
const good: Evidence = {
  events: [event],
  endpoints: [endpoint],
  attempts: [attempt],
  deadLetters: [],
  receipts: [receipt],
};

describe('judge', () => {
  it('finds nothing where all is well', () => {
    expect(judge(good)).toEqual({ expected: 1, delivered: 1, deadLettered: 0, duplicates: 0, violations: [] });
  });

  it('counts an event that was appended twice once, and a delivery that came twice as a duplicate', () => {
    expect(judge({ ...good, events: [event, event], receipts: [receipt, receipt] })).toMatchObject({
      expected: 1,
      duplicates: 1,
      violations: [],
    });
  });

  it('does not take a retry after a failure for a duplicate', () => {
    expect(judge({ ...good, receipts: [{ ...receipt, status: 503 }, receipt] }).duplicates).toBe(0);
  });

  it.each<[string, Partial<Evidence>, RegExp]>([
    ['an event without an end', { attempts: [{ ...attempt, final: false }] }, /no end state/],
    ['an event that was lost altogether', { attempts: [], receipts: [] }, /no end state/],
    ['a delivery that nobody received', { receipts: [] }, /never accepted/],
    ['a delivery that was refused', { receipts: [{ ...receipt, status: 500 }] }, /never accepted/],
    ['a bad signature', { receipts: [{ ...receipt, validSignature: false }] }, /bad signature/],
    ['a dead letter that is not there', { attempts: [{ ...attempt, outcome: 'deadLetter' }] }, /not in dead letters/],
    ['an end for another tenant', { events: [{ ...event, tenantId: 'other' }] }, /nothing that was expected/],
  ])('finds %s', (_, change, message) => {
    expect(judge({ ...good, ...change }).violations.join()).toMatch(message);
  });
});
