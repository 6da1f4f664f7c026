import { describe, expect, it } from 'vitest';
import type { Replay } from '#libs/persistence';
import { progressOf, stateOf } from './replay-answer.js';

const now = 1_800_000_000_000;
type Part = Replay['partitions'][number];
const aPart = (changes: Partial<Part> = {}): Part => ({
  partition: 0,
  incarnation: 0,
  from: 0,
  to: 100,
  position: 50,
  scanned: 50,
  matched: 20,
  sent: 40,
  done: false,
  ...changes,
});
const aReplay = (changes: Partial<Replay> = {}): Replay => ({
  replayId: 'replay:1',
  tenantId: 'acme',
  source: 'events',
  state: 'running',
  endpointIds: ['ep_1', 'ep_2'],
  eventTypes: null,
  filter: null,
  selection: null,
  rateLimit: null,
  newIds: false,
  asConfigured: 'now',
  window: { from: 0, to: null },
  gaps: [],
  description: '',
  partitions: [aPart(), aPart({ partition: 1 })],
  outcomes: { delivered: 30, failed: 5, dropped: 0, recent: 30 },
  revision: 1,
  createdAt: now - 600_000,
  updatedAt: now,
  finishedAt: null,
  ...changes,
});
const done = [aPart({ done: true, position: 100 })];

describe('how a replay stands', () => {
  it.each<[string, Partial<Replay>]>([
    ['running', {}],
    ['paused', { state: 'paused' }],
    ['paused', { state: 'paused', partitions: done }],
    ['delivering', { partitions: done }],
    ['completed', { partitions: done, finishedAt: now }],
    ['completed', { state: 'paused', partitions: done, finishedAt: now }],
    ['cancelled', { state: 'cancelled' }],
    ['cancelled', { state: 'cancelled', partitions: done, finishedAt: now }],
  ])('%s: %j', (state, changes) => {
    expect(stateOf(aReplay(changes))).toBe(state);
  });

  it('counts over its partitions, and expects what is not read to be like what was', () => {
    // 80 sent, 35 with an outcome; 100 records to read, at 0.8 deliveries each: 125 at 0.5 per second.
    expect(progressOf(aReplay(), now)).toEqual({
      scanned: 100,
      matched: 40,
      sent: 80,
      delivered: 30,
      failed: 5,
      dropped: 0,
      remaining: { records: 100, deliveries: 45 },
      rate: 0.5,
      expectedEnd: new Date(now + 250_000).toISOString(),
    });
  });

  it('has no expected end while nothing moves, or when it is over', () => {
    const still = { outcomes: { delivered: 30, failed: 5, dropped: 0, recent: 0 } };
    for (const changes of [
      still,
      { state: 'paused' },
      { state: 'cancelled' },
      { finishedAt: now },
    ] as Partial<Replay>[]) {
      expect(progressOf(aReplay(changes), now).expectedEnd).toBeNull();
    }
  });

  it('reads nothing more when it is cancelled, but waits for what was sent', () => {
    expect(progressOf(aReplay({ state: 'cancelled' }), now).remaining).toEqual({ records: 0, deliveries: 45 });
    expect(progressOf(aReplay({ finishedAt: now }), now).remaining).toEqual({ records: 0, deliveries: 0 });
  });

  it('takes its rate from the time that it has run, when that is less than a minute', () => {
    expect(progressOf(aReplay({ createdAt: now - 10_000 }), now).rate).toBe(3);
    expect(progressOf(aReplay({ createdAt: now }), now).rate).toBe(30);
  });
});
