import { describe, expect, it } from 'vitest';
import type { Arrival } from './arrival.js';
import { judgeRepeats, laneBound, type Disruption, type RepeatsEvidence } from './repeats-oracle.js';

const arrival = (webhookId: string, at: number, status = 204): Arrival => ({
  endpointId: 'ep',
  webhookId,
  eventId: webhookId,
  eventSource: '/s',
  validSignature: true,
  status,
  at,
});
const kill: Disruption = { app: 'worker', fault: 'kill', at: 100 };
const repeated = [arrival('a', 99), arrival('a', 200)];
const evidence = (changes: Partial<RepeatsEvidence>): RepeatsEvidence => ({
  arrivals: repeated,
  successes: [{ webhookId: 'a', loggedAt: 201 }],
  disruptions: [kill],
  inFlightBound: new Map([['ep', 1]]),
  ...changes,
});

describe('judgeRepeats', () => {
  it('lets pass what was in flight when its worker was killed, and says how much was allowed', () => {
    expect(judgeRepeats(evidence({}))).toEqual({ repeats: 1, causes: 1, allowed: 1, violations: [] });
  });

  it('lets pass what the killed worker never wrote down', () => {
    expect(judgeRepeats(evidence({ successes: [] })).violations).toEqual([]);
  });

  it('finds a repeat without a worker killed or frozen before it', () => {
    const harmless: Disruption[] = [
      { app: 'dispatcher', fault: 'kill', at: 100 },
      { app: 'worker', fault: 'leave', at: 101 },
      { app: 'worker', fault: 'join', at: 102 },
      { app: 'worker', fault: 'kill', at: 300 },
    ];
    expect(judgeRepeats(evidence({ disruptions: harmless })).violations).toEqual([
      expect.stringContaining('no worker had been killed'),
    ]);
  });

  it('finds a repeat of what stood in the log when the worker was killed', () => {
    const { violations } = judgeRepeats(evidence({ successes: [{ webhookId: 'a', loggedAt: 99 }] }));
    expect(violations).toEqual([expect.stringContaining('in the log 1 ms before')]);
  });

  it('goes by the last fault: an outcome may be logged between two of them', () => {
    const disruptions: Disruption[] = [kill, { app: 'worker', fault: 'join', at: 150 }];
    const { violations } = judgeRepeats(evidence({ disruptions, successes: [{ webhookId: 'a', loggedAt: 120 }] }));
    expect(violations).toEqual([expect.stringContaining('in the log 30 ms before')]);
  });

  it('finds more repeats than were in flight, and lets each kill repeat as many', () => {
    const arrivals = [...repeated, arrival('b', 98), arrival('b', 210)];
    expect(judgeRepeats(evidence({ arrivals })).violations).toEqual([expect.stringContaining('no more than 1')]);
    const twice: Disruption[] = [kill, { app: 'worker', fault: 'freeze', at: 50 }];
    expect(judgeRepeats(evidence({ arrivals, disruptions: twice }))).toMatchObject({ allowed: 2, violations: [] });
  });

  it('counts one that is refused when it comes again, and so comes a third time, once', () => {
    const arrivals = [...repeated, arrival('a', 210, 503), arrival('a', 220)];
    expect(judgeRepeats(evidence({ arrivals, successes: [] }))).toMatchObject({ repeats: 1, violations: [] });
  });

  it('does not take a retry after a refusal for a repeat, and goes by the time of arrival', () => {
    expect(judgeRepeats(evidence({ arrivals: [arrival('a', 1, 503), arrival('a', 2)] })).repeats).toBe(0);
    expect(judgeRepeats(evidence({ arrivals: [arrival('a', 2), arrival('a', 1, 503)] })).repeats).toBe(0);
  });
});

describe('laneBound', () => {
  it('is what a lane may have under way', () => {
    expect(laneBound(16)).toBe(128);
  });
});
