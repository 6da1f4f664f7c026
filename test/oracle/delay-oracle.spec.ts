import { describe, expect, it } from 'vitest';
import type { Arrival } from './arrival.js';
import { judgeDelays, type RetriedAttempt } from './delay-oracle.js';

const arrival = (at: number): Arrival => ({
  endpointId: 'ep',
  webhookId: 'msg',
  eventId: 'e',
  eventSource: '/s',
  validSignature: true,
  status: 204,
  at,
});
const failed: RetriedAttempt = { webhookId: 'msg', number: 1, startedAt: 0, durationMs: 10, dueAt: 10_010 };
const judged = (at: number) => judgeDelays([failed], [arrival(0), arrival(at)]);

describe('judgeDelays', () => {
  it('lets pass what came from its time to 1 s and 10 % after it', () => {
    expect(judged(10_010)).toEqual({ judged: 1, mostLateMs: 0, violations: [] });
    expect(judged(12_010).violations).toEqual([]);
  });

  it('finds what came too early, too late or never', () => {
    expect(judged(10_009).violations.join()).toMatch('1 ms before it was due');
    expect(judged(12_011).violations.join()).toMatch('2001 ms late');
    expect(judgeDelays([failed], [arrival(0)]).violations.join()).toMatch('never came');
  });

  it('judges each retry by the POST that followed it, and no final Attempt', () => {
    const attempts = [
      failed,
      { ...failed, number: 2, startedAt: 10_500, dueAt: 11_510 },
      { ...failed, number: 3, startedAt: 12_000, dueAt: null },
    ];
    const { judged: count, violations } = judgeDelays(attempts, [arrival(12_000), arrival(10_500), arrival(0)]);
    expect([count, violations]).toEqual([2, []]);
  });
});
