import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DeliveryRecord } from '#libs/persistence';
import { anAttempt } from '#libs/testing';
import { someAttempts } from './attempts.fixture.js';
import { foldAttempts, merge } from './fold.js';

const only = (attempts: Parameters<typeof foldAttempts>[0]): DeliveryRecord => {
  const { deliveries } = foldAttempts(attempts);
  expect(deliveries).toHaveLength(1);
  return deliveries[0]!;
};
const failed = anAttempt({
  outcome: 'retry',
  final: false,
  dueAt: 1_800_000_005_000,
  response: null,
  error: { kind: 'timeout', message: 'late' },
});
const second = anAttempt({ number: 2, startedAt: 1_800_000_005_100 });

describe('foldAttempts', () => {
  it('shows a delivery that waits for its retry as pending, with what went wrong', () => {
    expect(only([failed])).toMatchObject({
      status: 'pending',
      attempts: 1,
      completedAt: null,
      nextAttemptAt: 1_800_000_005_000,
      lastStatus: null,
      lastError: { kind: 'timeout', message: 'late' },
    });
  });

  it('shows a success after a retry', () => {
    expect(only([failed, second])).toMatchObject({
      status: 'delivered',
      attempts: 2,
      firstAttemptAt: failed.startedAt,
      lastAttemptAt: second.startedAt,
      completedAt: second.startedAt + second.durationMs,
      nextAttemptAt: null,
      lastStatus: 200,
      lastError: null,
    });
  });

  it('counts an attempt that a crash has repeated once', () => {
    expect(only([failed, failed, second, second]).attempts).toBe(2);
  });

  it('keeps the first final outcome, but a success counts whenever it comes', () => {
    const dead = anAttempt({ outcome: 'deadLetter', deadLetterReason: 'exhausted', number: 3 });
    expect(only([dead, failed]).status).toBe('dead-lettered');
    expect(only([second, dead, failed])).toMatchObject({ status: 'delivered', attempts: 3, deadLetterReason: null });
    expect(only([dead, second])).toMatchObject({ status: 'delivered', deadLetterReason: null });
  });

  it('counts no POST where none was made', () => {
    const dropped = anAttempt({ number: 0, outcome: 'dropped', response: null, url: '' });
    expect(only([dropped])).toMatchObject({
      status: 'dropped',
      attempts: 0,
      firstAttemptAt: null,
      lastAttemptAt: null,
    });
  });

  it('shows an exhausted one that is kept as halted, until a later attempt of it', () => {
    const halted = anAttempt({
      outcome: 'halted',
      final: false,
      number: 3,
      orderingKey: 'task-1',
      response: null,
      error: { kind: 'refused', message: 'nobody there' },
    });
    const haltedAt = halted.startedAt + halted.durationMs;
    const { orderingKey } = halted;
    const kept = { status: 'halted', attempts: 3, haltedAt, completedAt: null, nextAttemptAt: null, orderingKey };
    expect(only([failed, halted])).toMatchObject({ ...kept, lastError: { kind: 'refused' } });
    const released = anAttempt({ ...failed, number: 4, orderingKey });
    expect(only([halted, released])).toMatchObject({ status: 'pending', attempts: 4, haltedAt: null, orderingKey });
    expect(only([halted, released, halted])).toMatchObject({ status: 'halted', attempts: 4, haltedAt });
    const skipped = anAttempt({ outcome: 'deadLetter', deadLetterReason: 'exhausted', number: 3 });
    expect(only([halted, skipped])).toMatchObject({ status: 'dead-lettered', haltedAt: null, orderingKey });
    expect(only([skipped, halted])).toMatchObject({ status: 'dead-lettered', haltedAt: null });
  });

  it('learns nothing from an attempt that has only started', () => {
    const started = anAttempt({ outcome: 'started', final: false, number: 4, response: null, startedAt: 1 });
    for (const outcome of ['halted', 'retry'] as const) {
      const known = anAttempt({ outcome, final: false, number: 3 });
      expect(only([known, started, started])).toEqual(only([known]));
      expect(only([started, known])).toEqual(only([known]));
    }
    expect(foldAttempts([started]).deliveries).toEqual([]);
  });

  it('wishes to disable each endpoint that answered 410 once, as of its latest attempt', () => {
    const gone = (startedAt: number) => anAttempt({ outcome: 'disable', deadLetterReason: 'gone', startedAt });
    expect(foldAttempts([gone(10), gone(30), gone(20)]).disables).toEqual([
      { endpointId: 'ep_1', reason: 'gone', decidedAt: 30 },
    ]);
    expect(only([gone(10)])).toMatchObject({ status: 'dead-lettered', deadLetterReason: 'gone' });
  });

  it('invariant 11: gives the same deliveries wherever the batches are cut', () => {
    fc.assert(
      fc.property(someAttempts, fc.array(fc.nat({ max: 40 })), (attempts, cuts) => {
        const rows = new Map<string, DeliveryRecord>();
        const places = [0, ...cuts.sort((a, b) => a - b), attempts.length];
        for (const [index, place] of places.entries()) {
          for (const record of foldAttempts(attempts.slice(place, places[index + 1])).deliveries) {
            const before = rows.get(record.deliveryId);
            rows.set(record.deliveryId, before === undefined ? record : merge(before, record));
          }
        }
        const byId = (a: DeliveryRecord, b: DeliveryRecord) => a.deliveryId.localeCompare(b.deliveryId);
        expect([...rows.values()].sort(byId)).toEqual([...foldAttempts(attempts).deliveries].sort(byId));
      }),
    );
  });
});
