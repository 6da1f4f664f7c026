import { monitorEventLoopDelay } from 'node:perf_hooks';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { EndpointUnderTest } from '../e2e/platform-under-test.js';
import type { LogEvidence } from '../e2e/read-evidence.js';
import { wasAccepted, type Arrival } from '../oracle/arrival.js';
import { judgeDelays } from '../oracle/delay-oracle.js';
import { judge, type Verdict } from '../oracle/delivery-oracle.js';
import { judgeOrder } from '../oracle/order-oracle.js';
import { judgeRate, type Rate } from '../oracle/rate-oracle.js';
import { judgeRepeats, laneBound } from '../oracle/repeats-oracle.js';
import { fewProjects, flood, steadyEvent } from './chaos-events.js';
import { ChaosWorld, maxInFlight, perMinute, perSecond, sessionMs } from './chaos-world.js';
import { Faults } from './faults.js';
import { PacedLoad } from './paced-load.js';
import { comeAndGo, fullPlan, injureDispatchers, injureWorkers, shortPlan } from './plan.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** Set by `npm run test:chaos -- --full`. */
    chaosIsFull: boolean;
  }
}

const full = inject('chaosIsFull');
const plan = full ? fullPlan : shortPlan;
const eventsPerSecond = 200;
/** Of these the endpoint with 5 a minute gets a burst and then one each 12 s; the endpoints that fail once get them too. */
const projects = full ? 20 : 8;
const delaysMs = full ? [1_000, 7_000, 45_000, 240_000] : [1_000, 7_000, 45_000];
/** A new owner sends its first burst when the session of the one before has run out and its state is restored. */
const handOverMs = sessionMs + 10_000;
/** All share two cores with the broker: a POST may come so much later than another one, on the way from its worker. */
const slackMs = 250;

/**
 * One run under 200 events/s: dispatchers are killed and frozen beyond their session, workers join and leave, then workers
 * are killed and frozen. Real: all. What it came to is judged from the log and the receivers' own records; each `it` is
 * one question about the same run.
 */
describe('processes that die, sleep, come and go under 200 events/s', () => {
  let world: ChaosWorld;
  let faults: Faults;
  let ordered: { keyed: EndpointUnderTest; strict: EndpointUnderTest };
  let limited: readonly (readonly [EndpointUnderTest, Rate])[];
  let failingOnce: readonly EndpointUnderTest[];
  let exitCodes: readonly (number | null)[];
  /** When the first worker was to be killed. */
  let harmlessUntil = 0;
  let log: LogEvidence;
  let arrivals: readonly Arrival[];
  let verdict: Verdict;
  /** The receivers are in this process: what holds it up makes arrivals look later, and closer to each other, than they were. */
  const heldUp = monitorEventLoopDelay({ resolution: 10 });
  const arrivalsOf = (endpoint: EndpointUnderTest): readonly Arrival[] =>
    arrivals.filter(({ endpointId }) => endpointId === endpoint.endpointId);

  beforeAll(async () => {
    heldUp.enable();
    world = await ChaosWorld.start(['dispatcher', 'dispatcher', 'dispatcher', 'worker']);
    faults = new Faults(world.test.platform);
    ordered = await world.addOrdered();
    await world.addUnordered();
    await world.addFlaky();
    await world.addHanging();
    limited = [
      [await world.addLimited(perSecond, ['member.*']), perSecond],
      [await world.addLimited(perMinute, ['project.*']), perMinute],
    ];
    failingOnce = await Promise.all(delaysMs.map((delayMs) => world.addFailingOnce(delayMs)));
    await world.settle();

    const first = [...flood(350), ...fewProjects(projects)];
    await world.send(first);
    const load = new PacedLoad(world.upstream, eventsPerSecond, steadyEvent);
    await injureDispatchers(faults, plan);
    // The retries after 1 s and 7 s have come by now; one worker has kept the limits alone.
    await faults.join('worker');
    exitCodes = await comeAndGo(faults, plan);
    await faults.join('worker');
    harmlessUntil = Date.now();
    await injureWorkers(faults, plan);
    world.hangs = false;
    await load.stop();

    const sent = [...first, ...load.sent];
    await world.untilAccepted(sent, Math.max(...delaysMs) + 30_000);
    // The last outcomes are on their way into the log.
    const deadline = performance.now() + 15_000;
    do {
      log = await world.test.readLog();
      arrivals = world.test.arrivals();
      verdict = judge({ ...log, endpoints: world.test.endpoints, receipts: arrivals });
    } while (verdict.violations.length > 0 && performance.now() < deadline);
  }, 900_000);
  afterAll(async () => {
    faults?.release();
    await world?.stop();
  });

  it('did what it says: each victim was at work, and none ended but those that were ended', () => {
    console.log(faults.injuries.map(({ app, fault, work }) => `${fault} ${app} (${work})`).join(', '));
    for (const { app, fault, work } of faults.injuries) expect(work, `${fault} ${app}`).toBeGreaterThan(0);
    expect(faults.injuries).toHaveLength(plan.dispatcherFaults + plan.departures + plan.workerFaults);
    expect(faults.unexpectedEnds).toEqual([]);
    expect(exitCodes).toEqual(exitCodes.map(() => 0));
  });

  it('invariant 1: every event reaches its end state at every endpoint that wants it', () => {
    console.log(`${verdict.expected} expected, ${verdict.delivered} delivered, ${verdict.deadLettered} dead letters`);
    expect(verdict.violations.slice(0, 5)).toEqual([]);
    expect(verdict.expected).toBeGreaterThan(eventsPerSecond * 10);
  });

  it('invariant 2: no first success is out of order, within a key or within a strictly ordered endpoint', () => {
    const endpoints = [
      { endpointId: ordered.keyed.endpointId, ordering: 'key' as const },
      { endpointId: ordered.strict.endpointId, ordering: 'endpoint' as const },
    ];
    const { compared, violations } = judgeOrder({ events: log.events, endpoints, arrivals });
    expect(violations.slice(0, 5)).toEqual([]);
    expect(compared).toBeGreaterThan(eventsPerSecond * 5);
  });

  it('invariant 3: dispatchers that die and sleep, workers that join and leave, repeat nothing', () => {
    const accepted = new Set<string>();
    const repeated: string[] = [];
    for (const { webhookId, eventId, status, at } of arrivals.toSorted((a, b) => a.at - b.at)) {
      if (accepted.has(webhookId) && at < harmlessUntil) repeated.push(eventId);
      if (wasAccepted({ status })) accepted.add(webhookId);
    }
    expect(repeated).toEqual([]);
  });

  it('invariant 3: workers that die and sleep repeat at most what they had in flight', () => {
    const { disruptions } = faults;
    const successes = log.attempts.filter(({ outcome }) => outcome === 'delivered');
    const inFlightBound = new Map(
      world.test.endpoints.map(({ endpointId }) => [endpointId, laneBound(maxInFlight)] as const),
    );
    const judged = judgeRepeats({ arrivals, successes, disruptions, inFlightBound });
    console.log(`${judged.repeats} repeats after ${judged.causes} kills and freezes (at most ${judged.allowed})`);
    expect(judged.violations.slice(0, 5)).toEqual([]);
  });

  it('invariant 4: no window holds more than the limit and the burst, with one worker, with three, over hand-overs', () => {
    console.log(`receivers were held up for at most ${Math.round(heldUp.max / 1e6)} ms`);
    const handOvers = faults.disruptions.filter(({ app }) => app === 'worker').map(({ at }) => at);
    for (const [endpoint, rate] of limited) {
      const times = arrivalsOf(endpoint).map(({ at }) => at);
      const judged = judgeRate(times, rate, { handOvers, handOverMs, slackMs });
      console.log(
        `${rate.limit} in ${rate.periodMs} ms: ${times.length} came, at most ${judged.mostInPeriod} in a period`,
      );
      expect(judged.violations).toEqual([]);
      // Otherwise nothing was limited.
      expect(times.length).toBeGreaterThan(rate.burst);
    }
  });

  it.for(delaysMs.map((delayMs, n) => [n, delayMs] as const))(
    'invariant 6: retry %i, due after %i ms, comes when it is due',
    ([n]) => {
      const endpoint = failingOnce[n]!;
      const attempts = log.attempts.filter(({ endpointId }) => endpointId === endpoint.endpointId);
      const { judged, mostLateMs, violations } = judgeDelays(attempts, arrivalsOf(endpoint));
      console.log(`${judged} retries, at most ${Math.round(mostLateMs)} ms late`);
      expect(violations).toEqual([]);
      expect(judged).toBe(projects);
    },
  );
});
