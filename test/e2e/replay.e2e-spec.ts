import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Arrival } from '../oracle/arrival.js';
import type { PlacedEvent } from '../oracle/order-oracle.js';
import { judgeRate } from '../oracle/rate-oracle.js';
import { judgeWindow } from '../oracle/window-oracle.js';
import { PlatformUnderTest, type EndpointUnderTest } from './platform-under-test.js';
import type { Logged } from './read-evidence.js';
import { sampleEvents, type UpstreamService } from './sample-events.js';

interface Replay {
  readonly id: string;
  readonly state: string;
  readonly partitions: readonly { readonly from: number; readonly to: number; readonly done: boolean }[];
  readonly progress: {
    readonly scanned: number;
    readonly matched: number;
    readonly sent: number;
    readonly delivered: number;
    readonly failed: number;
    readonly dropped: number;
    readonly remaining: { readonly records: number; readonly deliveries: number };
  };
}

const waiting = { timeout: 30_000, interval: 100 };

/**
 * History sent again. Real: four app processes, broker, registry, database, HTTP. Doubled: nothing. Judged by the events
 * topic and the receivers' own records; what Posthorn tells of its progress is compared with them.
 */
describe('replays', () => {
  let test: PlatformUnderTest;
  let upstream: UpstreamService;
  /** Has had all events as they came. */
  let subscriber: EndpointUnderTest;
  /** The second of three parts of the log. */
  const window = { from: '', to: '' };
  let log: readonly Logged<PlacedEvent>[];
  let inWindow: readonly Logged<PlacedEvent>[];

  beforeAll(async () => {
    test = await PlatformUnderTest.start();
    upstream = await test.upstream();
    subscriber = await test.addEndpoint(['*']);
    await sleep(2_000);
    await send(0, 150);
    window.from = await momentBetween();
    await send(150, 400);
    window.to = await momentBetween();
    await send(550, 150);
    await subscriber.receiver.waitFor(700, 30_000);
    log = await test.readEvents();
    inWindow = log.filter(({ loggedAt }) => loggedAt >= Date.parse(window.from) && loggedAt < Date.parse(window.to));
  });
  afterAll(async () => {
    await upstream?.close();
    await test?.stop();
  });

  /** Over all source partitions. */
  const send = async (from: number, count: number): Promise<void> => {
    const events = sampleEvents('replay', count, from).map((one, n) => ({ ...one, partitionkey: `k-${n % 13}` }));
    await upstream.send(events.map((event) => upstream.binaryJson(event)));
  };
  /** Of the broker's clock, which is this machine's. */
  async function momentBetween(): Promise<string> {
    await sleep(20);
    const moment = new Date().toISOString();
    await sleep(20);
    return moment;
  }
  async function begin(path: string, body: object = {}): Promise<Replay> {
    const { status, body: replay } = await test.platform.request<Replay>('POST', path, body);
    if (status !== 201 && status !== 202) throw new Error(`${path}: ${status} ${JSON.stringify(replay)}`);
    return replay;
  }
  const replayTo = (endpoint: EndpointUnderTest, body: object = {}): Promise<Replay> =>
    begin('/v1/replays', { tenantId: test.tenantId, endpointIds: [endpoint.endpointId], ...window, ...body });
  const get = async ({ id }: Replay): Promise<Replay> =>
    (await test.platform.request<Replay>('GET', `/v1/replays/${id}`)).body;
  const order = async ({ id }: Replay, what: 'pause' | 'resume' | 'cancel'): Promise<Replay> => {
    const { status, body } = await test.platform.request<Replay>('POST', `/v1/replays/${id}/${what}`);
    expect(status).toBe(200);
    return body;
  };
  const completed = (replay: Replay): Promise<Replay> =>
    vi.waitUntil(async () => {
      const now = await get(replay);
      return now.state === 'completed' ? now : null;
    }, waiting);
  /** It comes to rest: nothing arrives for a second. @returns how many had come */
  async function untilQuiet({ receiver }: EndpointUnderTest): Promise<number> {
    for (let before = -1; before !== receiver.requests.length;) {
      before = receiver.requests.length;
      await sleep(1_000);
    }
    return receiver.requests.length;
  }
  const webhookIdsOf = (arrivals: readonly Arrival[]): Map<string, string> =>
    new Map(arrivals.map(({ eventId, webhookId }) => [eventId, webhookId]));

  it('1, 2, 3. a window by time reaches a new endpoint and an old one: exactly that, in order, with the same ids', async () => {
    const newcomer = await test.addEndpoint(['*'], () => ({}), { ordering: 'endpoint' });
    const endpointIds = [newcomer.endpointId, subscriber.endpointId];
    const had = subscriber.receiver.requests.length;
    const body = { tenantId: test.tenantId, endpointIds, ...window };
    const dry = await test.platform.request('POST', '/v1/replays', { ...body, dryRun: true });
    expect(dry).toMatchObject({ status: 200, body: { deliveries: 2 * inWindow.length, partial: false } });
    expect(inWindow).toHaveLength(400);

    const ended = await completed(await replayTo(newcomer, { endpointIds }));
    const come = { delivered: 2 * inWindow.length, failed: 0, dropped: 0, remaining: { records: 0, deliveries: 0 } };
    const sent = { matched: 2 * inWindow.length, sent: 2 * inWindow.length };
    expect(ended.progress).toMatchObject({ scanned: inWindow.length, ...sent, ...come });
    const arrivals = test.arrivalsOf(newcomer);
    const judged = judgeWindow({ expected: inWindow, arrivals, ordering: 'endpoint' });
    expect(judged.violations.slice(0, 5)).toEqual([]);
    expect(arrivals.every(({ validSignature }) => validSignature)).toBe(true);

    const live = test.arrivalsOf(subscriber).slice(0, had);
    const again = test.arrivalsOf(subscriber).slice(had);
    expect(judgeWindow({ expected: inWindow, arrivals: again, ordering: 'none' }).violations.slice(0, 5)).toEqual([]);
    const idsThen = webhookIdsOf(live);
    for (const { eventId, webhookId } of again) expect(webhookId).toBe(idsThen.get(eventId));

    // Asked for, they are new; so is the replay's: a second one sends all of it once more.
    const before = subscriber.receiver.requests.length;
    await completed(await replayTo(subscriber, { eventTypes: ['task.*'], newIds: true }));
    const renamed = test.arrivalsOf(subscriber).slice(before);
    const tasks = inWindow.filter(({ type }) => type.startsWith('task.'));
    expect(judgeWindow({ expected: tasks, arrivals: renamed, ordering: 'none' }).violations.slice(0, 5)).toEqual([]);
    for (const { eventId, webhookId } of renamed) expect(webhookId).not.toBe(idsThen.get(eventId));
  });

  it('3. a replay rests while it is paused, and sends the rest, once, when it is resumed', async () => {
    const endpoint = await test.addEndpoint(['*'], () => ({}), { ordering: 'endpoint' });
    const replay = await replayTo(endpoint, { rateLimit: { limit: 40, per: 'second', burst: 1 } });
    await endpoint.receiver.waitFor(20, 15_000);
    expect(await order(replay, 'pause')).toMatchObject({ state: 'paused' });
    const had = await untilQuiet(endpoint);
    expect(had).toBeLessThan(inWindow.length);
    const patched = await test.platform.request('PATCH', `/v1/replays/${replay.id}`, { rateLimit: null });
    expect(patched.status).toBe(200);
    expect(endpoint.receiver.requests).toHaveLength(had);
    await order(replay, 'resume');
    const ended = await completed(replay);
    expect(ended.progress).toMatchObject({ sent: inWindow.length, delivered: inWindow.length });
    const arrivals = test.arrivalsOf(endpoint);
    expect(judgeWindow({ expected: inWindow, arrivals, ordering: 'endpoint' }).violations.slice(0, 5)).toEqual([]);
    // As long as it had a rate it was kept.
    const limited = arrivals.slice(0, had).map(({ at }) => at);
    const rate = { limit: 40, periodMs: 1_000, burst: 1 };
    expect(judgeRate(limited, rate, { handOvers: [], handOverMs: 0, slackMs: 250 }).violations).toEqual([]);
  });

  it('1. a replay that is cancelled sends nothing more, for good, and what was on its way is dropped', async () => {
    const endpoint = await test.addEndpoint(['*'], () => ({}), { ordering: 'endpoint' });
    const replay = await replayTo(endpoint, { rateLimit: { limit: 20, per: 'second', burst: 1 } });
    await endpoint.receiver.waitFor(10, 15_000);
    expect(await order(replay, 'cancel')).toMatchObject({ state: 'cancelled' });
    const had = await untilQuiet(endpoint);
    expect(had).toBeLessThan(inWindow.length / 2);
    const { progress } = await vi.waitUntil(async () => {
      const now = await get(replay);
      const { sent, delivered, dropped } = now.progress;
      return now.partitions.every(({ done }) => done) && delivered + dropped === sent ? now : null;
    }, waiting);
    expect(progress).toMatchObject({ delivered: had, failed: 0 });
    expect((await test.platform.request('POST', `/v1/replays/${replay.id}/resume`)).status).toBe(409);
    // In order, up to where it was cancelled: what came of a partition are its first ones.
    const arrivals = test.arrivalsOf(endpoint);
    const came = new Set(arrivals.map(({ eventId }) => eventId));
    const expected = inWindow.filter(({ id }) => came.has(id));
    expect(judgeWindow({ expected, arrivals, ordering: 'endpoint' }).violations).toEqual([]);
  });

  it('3. one delivery is sent once more', async () => {
    const had = subscriber.receiver.requests.length;
    const path = `/v1/deliveries?tenantId=${test.tenantId}&endpointId=${subscriber.endpointId}&limit=1`;
    const { body } = await test.platform.request<{ data: [{ id: string; event: { id: string } }] }>('GET', path);
    const [{ id, event }] = body.data;
    const ended = await completed(await begin(`/v1/deliveries/${encodeURIComponent(id)}/resend`));
    expect(ended.progress).toMatchObject({ scanned: 1, sent: 1, delivered: 1 });
    expect(test.arrivalsOf(subscriber).slice(had)).toMatchObject([{ eventId: event.id }]);
  });

  it('1, 4. what was given up is sent again when its endpoint is mended: one, then all, within the rate that was asked for', async () => {
    let isBroken = true;
    const endpoint = await test.addEndpoint(['comment.added'], () => ({ status: isBroken ? 500 : 204 }), {
      retry: { delaysMs: [1000], jitter: 0 },
      // It is to be given up, not left alone until it is better.
      circuit: { consecutiveFailures: 1_000_000, minRequests: 1_000_000 },
    });
    await sleep(2_000);
    const since = await momentBetween();
    await send(700, 90);
    const lost = (await test.readEvents()).filter((event) => endpoint.wants(event));
    const openPath = `/v1/dead-letters?endpointId=${endpoint.endpointId}&state=open&limit=200`;
    const open = async () =>
      (await test.platform.request<{ data: { deliveryId: string; event: { id: string } }[] }>('GET', openPath)).body
        .data;
    const letters = await vi.waitUntil(async () => {
      const found = await open();
      return found.length === lost.length ? found : null;
    }, waiting);
    const had = await untilQuiet(endpoint);
    expect(had).toBe(2 * lost.length);
    const idsThen = webhookIdsOf(test.arrivalsOf(endpoint));
    isBroken = false;

    const [one] = letters;
    await completed(await begin(`/v1/dead-letters/${encodeURIComponent(one!.deliveryId)}/replay`));
    expect(test.arrivalsOf(endpoint).slice(had)).toMatchObject([{ eventId: one!.event.id }]);
    const twice = await test.platform.request(
      'POST',
      `/v1/dead-letters/${encodeURIComponent(one!.deliveryId)}/replay`,
      {},
    );
    expect(twice).toMatchObject({ status: 409, body: { code: 'not-open' } });

    const rate = { limit: 10, periodMs: 1_000, burst: 2 };
    const recovery = await begin(`/v1/endpoints/${endpoint.endpointId}/recover`, {
      since,
      rateLimit: { limit: rate.limit, per: 'second', burst: rate.burst },
    });
    expect((await completed(recovery)).progress).toMatchObject({ sent: lost.length - 1, delivered: lost.length - 1 });
    const again = test.arrivalsOf(endpoint).slice(had);
    expect(judgeWindow({ expected: lost, arrivals: again, ordering: 'none' }).violations.slice(0, 5)).toEqual([]);
    for (const { eventId, webhookId } of again) expect(webhookId).toBe(idsThen.get(eventId));
    const times = again.slice(1).map(({ at }) => at);
    const judged = judgeRate(times, rate, { handOvers: [], handOverMs: 0, slackMs: 250 });
    expect(judged.violations).toEqual([]);
    expect(times.length).toBeGreaterThan(3 * rate.limit);
    expect(await open()).toEqual([]);
  });
});
