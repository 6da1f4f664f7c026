import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import type { EndpointUnderTest } from '../e2e/platform-under-test.js';
import type { LogEvidence } from '../e2e/read-evidence.js';
import { judge, type Verdict } from '../oracle/delivery-oracle.js';
import { judgeWindow } from '../oracle/window-oracle.js';
import { flood, steadyEvent } from './chaos-events.js';
import { ChaosWorld } from './chaos-world.js';
import { ownerOf } from './owners.js';
import { PacedLoad } from './paced-load.js';
import { whileUnstored } from './unstored.js';

interface Part {
  readonly partition: number;
  readonly position: number;
}
interface ReplayAnswer {
  readonly partitions: readonly (Part & { readonly done: boolean })[];
}
interface Backlog {
  readonly state: string;
  readonly partitions: readonly Part[];
}

const full = inject('chaosIsFull');
const eventsPerSecond = full ? 200 : 50;
/** What there is to be replayed, and caught up by the endpoint that begins in the past. */
const history = full ? 20_000 : 4_000;
const kills = full ? 7 : 3;
const wantedEnd = { isReplayed: true, backfilled: 'live', paused: 'live' };
/** Long enough for a send after the last one that was stored. */
const unstoredMs = 400;
const sendAtOnce = 500;
/** Of these, with the replay on its way. */
const killsOfReplay = 3;
const waiting = { timeout: full ? 240_000 : 60_000, interval: 20 };

/** How things stood when a dispatcher was killed. */
interface Kill {
  /** What its victim was sending. */
  readonly sending: 'replay' | 'backfill';
  readonly position: number;
  readonly backfill: string;
  readonly paused: string;
}

/**
 * Dispatchers are killed with -9 again and again, always one that runs a replay or lets an endpoint catch up, with something
 * sent that was not stored, while events arrive, one endpoint begins in the past, and another is paused or resumed right
 * before. Real: all. Workers live, so that nothing at all may come twice. Judged from the log and the receivers' records;
 * each `it` is one question about the same run.
 */
describe('cursors and replays whose dispatchers die', () => {
  let world: ChaosWorld;
  let replayed: EndpointUnderTest;
  let backfilled: EndpointUnderTest;
  let paused: EndpointUnderTest;
  const killed: Kill[] = [];
  let end: object = {};
  let log: LogEvidence;
  let verdict: Verdict;

  const request = async <T>(method: string, path: string, body?: object): Promise<T> => {
    const answer = await world.test.platform.request<T>(method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  const backlogOf = ({ endpointId }: EndpointUnderTest): Promise<Backlog> =>
    request<Backlog>('GET', `/v1/endpoints/${endpointId}/backlog`);
  const order = (what: 'pause' | 'resume') => request('POST', `/v1/endpoints/${paused.endpointId}/${what}`, {});
  const partsOf = async (replayId: string): Promise<ReplayAnswer['partitions']> =>
    (await request<ReplayAnswer>('GET', `/v1/replays/${replayId}`)).partitions;

  /** What is being sent out of the past, by partition: the replay first, as long as it lasts. */
  async function underWay(replayId: string): Promise<{ sending: Kill['sending']; parts: readonly Part[] }> {
    const parts = (await partsOf(replayId)).filter(({ done }) => !done);
    if (parts.length > 0) return { sending: 'replay', parts };
    return { sending: 'backfill', parts: (await backlogOf(backfilled)).partitions };
  }

  /** Pauses or resumes; then kills a dispatcher that gets on with what is sent out of the past. */
  async function killARunner(replayId: string, nth: number): Promise<void> {
    const { platform } = world.test;
    const { parts } = await underWay(replayId);
    const before = new Map(nth === 0 ? [] : parts.map((one) => [one.partition, one.position]));
    await order(nth % 2 === 0 ? 'pause' : 'resume');
    await sleep((Math.floor(nth / 2) % 3) * 100);
    const { sending, position, victim } = await vi.waitUntil(async () => {
      const now = await underWay(replayId);
      const moved = now.parts.find((one) => one.position > (before.get(one.partition) ?? 0));
      const owner = moved === undefined ? null : ownerOf(platform, moved.partition);
      return moved === undefined || owner === null ? null : { ...now, ...moved, victim: owner };
    }, waiting);
    // It dies with something sent that it could not store: of the replay, or of the endpoints that catch up.
    const table = nth % 2 === 0 ? 'replay_partitions' : 'cursors';
    await whileUnstored(world.test.services.databaseUrl, table, async () => {
      await sleep(unstoredMs);
      await platform.kill(victim);
    });
    const states = { backfill: (await backlogOf(backfilled)).state, paused: (await backlogOf(paused)).state };
    killed.push({ sending, position, ...states });
  }

  beforeAll(async () => {
    world = await ChaosWorld.start(['dispatcher', 'dispatcher', 'worker']);
    paused = await world.addStrict(['comment.added', 'task.*']);
    await world.settle();
    const from = new Date(Date.now() - 1_000).toISOString();
    const past = flood(history);
    for (let sent = 0; sent < history; sent += sendAtOnce) await world.send(past.slice(sent, sent + sendAtOnce));
    const load = new PacedLoad(world.upstream, eventsPerSecond, steadyEvent);
    replayed = await world.addStrict(['member.*'], {}, true);
    backfilled = await world.addStrict(['*'], { since: 'beginning' });
    const { tenantId, platform } = world.test;
    const endpointIds = [replayed.endpointId];
    const { id } = await request<{ id: string }>('POST', '/v1/replays', { tenantId, endpointIds, from });
    for (let nth = 0; nth < kills; nth += 1) {
      await killARunner(id, nth);
      await platform.launch('dispatcher');
    }
    await order('resume');
    const deadline = performance.now() + waiting.timeout;
    do {
      await sleep(waiting.interval);
      const isReplayed = (await partsOf(id)).every(({ done }) => done);
      end = { isReplayed, backfilled: (await backlogOf(backfilled)).state, paused: (await backlogOf(paused)).state };
    } while (!isDeepStrictEqual(end, wantedEnd) && performance.now() < deadline);
    await load.stop();
    await world.untilAccepted([...past, ...load.sent], 30_000);
    // The last outcomes are on their way into the log.
    const logged = performance.now() + 15_000;
    do {
      log = await world.test.readLog();
      verdict = judge({ ...log, endpoints: world.test.endpoints, receipts: world.test.arrivals() });
    } while (verdict.violations.length > 0 && performance.now() < logged);
  }, 600_000);
  afterAll(() => world?.stop());

  it('did what it says: each time a replay or a backfill was on its way, three times the replay', () => {
    console.log(killed.map((one) => `${one.sending} at ${one.position} (${one.backfill}, ${one.paused})`).join(', '));
    expect(killed).toHaveLength(kills);
    expect(killed.filter(({ sending }) => sending === 'replay').length).toBeGreaterThanOrEqual(killsOfReplay);
    expect(killed.every((one) => one.backfill === 'catching-up')).toBe(true);
    // The pause was on its way, or the resume was, unless that was quicker than the kill.
    expect(killed.every((one, nth) => nth % 2 === 1 || one.paused !== 'live')).toBe(true);
    const running = [...world.test.platform.running].map(({ name }) => name);
    expect(running.toSorted()).toEqual(['api', 'dispatcher', 'dispatcher', 'worker']);
  });

  it('comes to its end: the replay is done, and both endpoints are live', () => {
    expect(end).toEqual(wantedEnd);
  });

  it('1. every event has its end state at every endpoint that wants it', () => {
    console.log(`${verdict.expected} expected, ${verdict.delivered} delivered`);
    expect(verdict.violations.slice(0, 5)).toEqual([]);
    expect(verdict.delivered).toBe(verdict.expected);
  });

  it.for([
    ['that is replayed to', () => replayed],
    ['that began in the past', () => backfilled],
    ['that was paused and resumed', () => paused],
  ] as const)('1, 2, 3. the endpoint %s got exactly its events, in order, nothing twice', ([, of]) => {
    const endpoint = of();
    const expected = log.events.filter((event) => endpoint.wants(event));
    const judged = judgeWindow({ expected, arrivals: world.test.arrivalsOf(endpoint), ordering: 'endpoint' });
    if (judged.violations.length > 0) console.log(attemptsAt(log, endpoint.endpointId, judged.violations).join('\n'));
    expect(judged.violations.slice(0, 5)).toEqual([]);
    expect(judged.came).toBeGreaterThan(eventsPerSecond * 10);
  });
});

/** What the log says of the events that the first violations name: who has sent what, when, and what came of it. */
function attemptsAt({ attempts }: LogEvidence, endpointId: string, violations: readonly string[]): string[] {
  const named = new Set(violations.slice(0, 5).map((line) => line.split(' ')[0]));
  return attempts
    .filter((one) => one.endpointId === endpointId && named.has(one.eventId))
    .map(({ deliveryId, number, outcome, startedAt, pos, workerId, response, error }) => {
      const answer = response?.status ?? error?.kind ?? 'none';
      return `${new Date(startedAt).toISOString()} ${deliveryId} at ${pos}, attempt ${number} by ${workerId}: ${answer}, ${outcome}`;
    });
}
