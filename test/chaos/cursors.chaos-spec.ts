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

interface ReplayAnswer {
  readonly partitions: readonly { readonly partition: number; readonly position: number; readonly done: boolean }[];
}

const full = inject('chaosIsFull');
const eventsPerSecond = full ? 200 : 50;
/** What there is to be replayed, and caught up by the endpoint that begins in the past. */
const history = full ? 20_000 : 4_000;
const kills = full ? 9 : 3;
const wantedEnd = { isReplayed: true, backfilled: 'live', paused: 'live' };
const sendAtOnce = 500;
const waiting = { timeout: 60_000, interval: 20 };

/** How things stood when a dispatcher was killed. */
interface Kill {
  /** Of the replay, in the partition whose owner was killed. */
  readonly position: number;
  readonly backfill: string;
  readonly paused: string;
}

/**
 * Dispatchers are killed with -9 again and again, always one that runs a replay, while events arrive, one endpoint catches
 * up from the beginning of the log, and another is paused or resumed right before. Real: all. Workers live, so that nothing
 * at all may come twice. Judged from the log and the receivers' records; each `it` is one question about the same run.
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
  const backlogOf = async ({ endpointId }: EndpointUnderTest): Promise<string> =>
    (await request<{ state: string }>('GET', `/v1/endpoints/${endpointId}/backlog`)).state;
  const order = (what: 'pause' | 'resume') => request('POST', `/v1/endpoints/${paused.endpointId}/${what}`, {});
  const partsOf = async (replayId: string): Promise<ReplayAnswer['partitions']> =>
    (await request<ReplayAnswer>('GET', `/v1/replays/${replayId}`)).partitions;

  /** Kills the owner of a part of the replay that has moved since the last kill, and has not come to its end. */
  async function killItsRunner(replayId: string, nth: number, before: ReadonlyMap<number, number>): Promise<void> {
    const { platform } = world.test;
    await order(nth % 2 === 0 ? 'pause' : 'resume');
    await sleep((nth % 3) * 100);
    const { partition, position } = await vi.waitUntil(async () => {
      const parts = await partsOf(replayId);
      if (parts.every(({ done }) => done))
        throw new Error(`the replay had ended before it was killed ${nth + 1} times`);
      return parts.find((one) => !one.done && one.position > (before.get(one.partition) ?? 0)) ?? null;
    }, waiting);
    const victim = ownerOf(platform, partition);
    if (victim === null) throw new Error(`nobody has partition ${partition}, though its replay moves`);
    await platform.kill(victim);
    killed.push({ position, backfill: await backlogOf(backfilled), paused: await backlogOf(paused) });
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
      const before = new Map(nth === 0 ? [] : (await partsOf(id)).map((one) => [one.partition, one.position]));
      await killItsRunner(id, nth, before);
      await platform.launch('dispatcher');
    }
    await order('resume');
    const deadline = performance.now() + waiting.timeout;
    do {
      await sleep(waiting.interval);
      const isReplayed = (await partsOf(id)).every(({ done }) => done);
      end = { isReplayed, backfilled: await backlogOf(backfilled), paused: await backlogOf(paused) };
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

  it('did what it says: each time the replay was on its way, and so were the endpoints that catch up', () => {
    console.log(killed.map((one) => `at ${one.position} (${one.backfill}, ${one.paused})`).join(', '));
    expect(killed).toHaveLength(kills);
    expect(killed[0]).toMatchObject({ backfill: 'catching-up' });
    expect(killed.every((one) => one.paused !== 'live')).toBe(true);
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
    expect(judged.violations.slice(0, 5)).toEqual([]);
    expect(judged.came).toBeGreaterThan(eventsPerSecond * 10);
  });
});
