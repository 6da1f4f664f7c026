import { gunzipSync } from 'node:zlib';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { isVerification, verificationAnswer } from '#libs/testing';
import { judgeWindow } from '../oracle/window-oracle.js';
import { PlatformUnderTest, type EndpointUnderTest } from './platform-under-test.js';
import { comment, sampleEvents, type UpstreamService } from './sample-events.js';

interface Backlog {
  readonly state: string;
  readonly partitions: readonly {
    readonly partition: number;
    readonly position: number;
    readonly end: number;
    readonly behind: number;
    readonly reason: string;
  }[];
}

interface TestResult {
  readonly outcome: string;
  readonly deliveryId: string;
  readonly event: { readonly type: string };
  readonly request: { readonly headers: Record<string, string>; readonly body: string } | null;
  readonly response: { readonly status: number } | null;
  readonly error: { readonly kind: string } | null;
}

const partitions = 4;
const waiting = { timeout: 30_000, interval: 100 };

/**
 * Endpoints that do not follow the log for a while. Real: four app processes, broker, registry, database, HTTP. Doubled:
 * nothing. Judged by the events topic and the receivers' own records.
 */
describe('endpoints that wait, and begin in the past', () => {
  let test: PlatformUnderTest;
  let upstream: UpstreamService;
  /** Gets all as it comes: what it has was dispatched. */
  let live: EndpointUnderTest;
  let sent = 0;

  beforeAll(async () => {
    test = await PlatformUnderTest.start();
    upstream = await test.upstream();
    live = await test.addEndpoint(['*']);
    await known();
  });
  afterAll(async () => {
    await upstream?.close();
    await test?.stop();
  });

  const known = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 2_000));
  /** Over all source partitions. */
  const send = async (count: number): Promise<void> => {
    const events = sampleEvents('wait', count, sent).map((one, n) => ({ ...one, partitionkey: `k-${n % 13}` }));
    await upstream.send(events.map((event) => upstream.binaryJson(event)));
    sent += count;
  };
  const dispatched = () => live.receiver.waitFor(sent, 20_000);
  const order = async ({ endpointId }: EndpointUnderTest, what: string): Promise<void> => {
    expect((await test.platform.request('POST', `/v1/endpoints/${endpointId}/${what}`)).status).toBe(200);
  };
  const backlogOf = async ({ endpointId }: EndpointUnderTest): Promise<Backlog> =>
    (await test.platform.request<Backlog>('GET', `/v1/endpoints/${endpointId}/backlog`)).body;
  const untilBacklogIs = (endpoint: EndpointUnderTest, state: string): Promise<Backlog> =>
    vi.waitUntil(async () => {
      const backlog = await backlogOf(endpoint);
      return backlog.state === state ? backlog : null;
    }, waiting);
  /** Everything that it is to get, in the order of the log, once; waited for. */
  async function expectExactly(endpoint: EndpointUnderTest): Promise<void> {
    const expected = (await test.readEvents()).filter((event) => endpoint.wants(event));
    await endpoint.receiver.waitFor(expected.length, 30_000);
    const judged = judgeWindow({ expected, arrivals: test.arrivalsOf(endpoint), ordering: 'endpoint' });
    expect(judged.violations.slice(0, 5)).toEqual([]);
    expect(judged.came).toBe(expected.length);
  }

  it('1, 2, 3. a paused endpoint waits in the log, then gets what it missed, in order, once, and is live again', async () => {
    let delayMs = 0;
    const paused = await test.addEndpoint(['*'], () => ({ delayMs }), { ordering: 'endpoint' });
    await known();
    await send(100);
    await expectExactly(paused);
    // Most of it waits for its turn at a worker, which is to hold it from the pause on.
    delayMs = 150;
    await send(40);
    await paused.receiver.waitFor(105);
    // While its dispatcher stands still it cannot take note.
    const { child } = test.platform.of('dispatcher');
    child.kill('SIGSTOP');
    try {
      await order(paused, 'pause');
      expect(await backlogOf(paused)).toEqual({ state: 'pausing', partitions: [] });
      await send(40);
    } finally {
      child.kill('SIGCONT');
    }
    await untilBacklogIs(paused, 'paused');
    const had = paused.receiver.requests.length;
    expect(had).toBeLessThan(140);
    await send(600);
    await dispatched();
    const backlog = await backlogOf(paused);
    expect(backlog.partitions.map(({ reason }) => reason)).toEqual(Array.from({ length: partitions }, () => 'paused'));
    const log = await test.readEvents();
    for (const { partition, position, end, behind } of backlog.partitions) {
      const there = log.filter((event) => event.partition === partition);
      expect(end).toBe(there.length);
      expect(behind).toBe(there.filter(({ offset }) => offset >= position).length);
    }
    expect(backlog.partitions.reduce((sum, { behind }) => sum + behind, 0)).toBeGreaterThanOrEqual(600);
    expect(paused.receiver.requests).toHaveLength(had);

    delayMs = 0;
    await order(paused, 'resume');
    await expectExactly(paused);
    expect((await untilBacklogIs(paused, 'live')).partitions).toEqual([]);
    await send(30);
    await expectExactly(paused);
  });

  it('1, 2, 3. an endpoint that begins in the past gets history in order, then what comes', async () => {
    const backfilled = await test.addEndpoint(['comment.added'], () => ({}), {
      ordering: 'endpoint',
      since: 'beginning',
    });
    // No pause between: some of it comes while it is behind, some when it has joined.
    for (let times = 0; times < 5; times += 1) await send(60);
    await untilBacklogIs(backfilled, 'live');
    await send(60);
    await expectExactly(backfilled);
  });

  it('1, 2, 3. an endpoint that is disabled by its own 410 waits, and catches up when it is enabled', async () => {
    let gone = -1;
    const leaving = await test.addEndpoint(['*'], (_, index) => ({ status: index === gone ? 410 : 204 }), {
      ordering: 'endpoint',
    });
    await known();
    await send(20);
    await expectExactly(leaving);
    gone = leaving.receiver.requests.length;
    await send(50);
    await untilBacklogIs(leaving, 'disabled');
    await send(200);
    await dispatched();
    // Nothing came beside what was on its way.
    expect(leaving.receiver.requests).toHaveLength(gone + 1);
    const { body } = await test.platform.request('GET', `/v1/endpoints/${leaving.endpointId}`);
    expect(body).toMatchObject({ state: 'disabled', disabledReason: expect.anything() as unknown });
    await order(leaving, 'enable');
    await untilBacklogIs(leaving, 'live');
    await send(20);
    // What it refused for good is a dead letter; everything else came.
    await expectExactly(leaving);
  });

  it('1, 2, 3. an endpoint gets nothing before it is verified, at no URL of its, and then all, in order', async () => {
    let wants = false;
    // What it is asked is not among what it gets.
    const asked: string[] = [];
    const endpoint = await test.addEndpoint(
      ['*'],
      (request) => {
        if (!isVerification(request.body)) return {};
        asked.push(request.path);
        return (wants && verificationAnswer(request)) || { status: 404 };
      },
      { ordering: 'endpoint', verification: { method: 'challenge' } },
    );
    const { endpointId, receiver } = endpoint;
    const verify = (state: string): Promise<unknown> =>
      vi.waitUntil(async () => {
        const { body } = await test.platform.request<{ verification?: { state: string } }>(
          'POST',
          `/v1/endpoints/${endpointId}/verify`,
        );
        return body.verification?.state === state;
      }, waiting);
    await verify('failed');
    await untilBacklogIs(endpoint, 'unverified');
    await send(60);
    await dispatched();
    expect(receiver.requests).toHaveLength(asked.length);
    wants = true;
    await verify('verified');
    await untilBacklogIs(endpoint, 'live');
    await send(30);

    // With deliveries on their way and waiting at a worker: none of them may go to the new URL yet.
    wants = false;
    const url = `${receiver.url}/moved`;
    expect((await test.platform.request('PATCH', `/v1/endpoints/${endpointId}`, { url })).status).toBe(200);
    await verify('failed');
    await send(60);
    await dispatched();
    await untilBacklogIs(endpoint, 'unverified');
    const gotAt = (path: string) => receiver.requests.filter((one) => one.path === path && !isVerification(one.body));
    expect(gotAt('/moved')).toEqual([]);
    expect(asked).toContain('/moved');
    wants = true;
    await verify('verified');
    await untilBacklogIs(endpoint, 'live');
    await vi.waitUntil(() => gotAt('/moved').length >= 60, waiting);
    const got = () => receiver.requests.length - asked.length;
    await vi.waitUntil(() => got() >= 150, waiting);
    await expectExactly(endpoint);
  });

  it('1. every event has its end state at each of them, and nothing came twice', async () => {
    const verdict = await test.settledVerdict(20_000);
    expect(verdict.violations.slice(0, 5)).toEqual([]);
    expect(verdict.duplicates).toBe(0);
    expect(verdict.deadLettered).toBe(1);
  });

  describe('and are sent tests', () => {
    const sendTest = async ({ endpointId }: EndpointUnderTest, body: object = {}): Promise<TestResult> => {
      const answer = await test.platform.request<TestResult>('POST', `/v1/endpoints/${endpointId}/test`, body);
      expect(answer).toMatchObject({ status: 200 });
      return answer.body;
    };
    const text = ({ receiver }: EndpointUnderTest, nth = 0): string => {
      const { headers, body } = receiver.requests[nth] ?? expect.fail('nothing came');
      return (headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body).toString();
    };
    it('before anybody has read of them: what came is what was answered, and is verified as Standard Webhooks', async () => {
      const code = 'function handler(webhook) { webhook.payload = { mine: webhook.payload.type }; return webhook; }';
      const made = { tenantId: test.tenantId, name: 'tests', code };
      const { body } = await test.platform.request<{ id: string }>('POST', '/v1/transformations', made);
      const long = { type: 'comment.added', data: { ...comment(1), text: 'x'.repeat(2_000) } };
      const cases: readonly (readonly [settings: object, body?: object])[] = [
        [{ state: 'paused' }],
        [{ state: 'disabled', format: 'binary' }],
        [{ format: 'standard', compression: 'gzip', headers: { 'X-Region': 'eu' } }, long],
        [{ batch: { maxEvents: 10, maxWaitMs: 60_000 }, ordering: 'endpoint' }],
        [{ transformationId: body.id }],
      ];
      for (const [settings, asked] of cases) {
        const endpoint = await test.addEndpoint(['task.*', 'comment.added'], undefined, { ...settings });
        const result = await sendTest(endpoint, asked);
        expect(result).toMatchObject({ outcome: 'delivered', response: { status: 204 }, error: null });
        const { headers } = endpoint.receiver.requests[0] ?? expect.fail('nothing came');
        expect(() =>
          new Webhook(endpoint.secret).verify(text(endpoint), headers as Record<string, string>),
        ).not.toThrow();
        expect(result.request?.body).toBe(text(endpoint));
        expect(headers).toMatchObject({ 'posthorn-test': 'true', ...result.request?.headers });
        expect(endpoint.receiver.requests).toHaveLength(1);
      }
      const [paused, , standard, batched, transformed] = test.endpoints.slice(-cases.length);
      expect(JSON.parse(text(paused!))).toMatchObject({ specversion: '1.0', source: '/posthorn/test' });
      expect(Object.keys(JSON.parse(text(standard!)) as object)).toEqual(['type', 'timestamp', 'data']);
      expect(JSON.parse(text(batched!))).toMatchObject([{ specversion: '1.0' }]);
      expect(JSON.parse(text(transformed!))).toEqual({ mine: 'comment.added' });
    });

    it('that fail: they are told apart, never tried again, and change nothing', async () => {
      const answers = [410, 500, 302];
      const failing = await test.addEndpoint(['comment.added'], (_, index) => ({ status: answers[index] ?? 204 }));
      for (const status of answers) {
        const result = await sendTest(failing, { data: comment(1), subject: 'mine' });
        expect(result).toMatchObject({ outcome: 'failed', response: { status }, error: null });
      }
      await failing.receiver.close();
      const last = await sendTest(failing);
      expect(last).toMatchObject({ outcome: 'failed', response: null, error: { kind: 'refused' } });
      const path = `/v1/endpoints/${failing.endpointId}`;
      expect((await test.platform.request('GET', path)).body).toMatchObject({ state: 'active', disabledReason: null });
      const logged = await vi.waitUntil(async () => {
        const found = await test.platform.request<object>('GET', `/v1/deliveries/${last.deliveryId}`);
        return found.status === 200 ? found.body : null;
      }, waiting);
      expect(logged).toMatchObject({ status: 'dropped', attemptCount: 1, stream: expect.stringMatching(/^test:/) });
      const stats = await test.platform.request<{ data: { endpointId: string }[] }>('GET', '/v1/stats/endpoints');
      expect(stats.body.data.filter(({ endpointId }) => endpointId === failing.endpointId)).toEqual([]);
      const entries = await test.platform.request<{ data: object[] }>(
        'GET',
        '/v1/audit?action=endpoint.tested&limit=4',
      );
      expect(entries.body.data).toMatchObject(
        Array.from({ length: 4 }, () => ({ resource: `endpoint/${failing.endpointId}`, actor: { kind: 'root' } })),
      );
    });

    it('while their circuit is open, past all that waits for it', async () => {
      const broken = await test.addEndpoint(
        ['*'],
        ({ headers }) => ({ status: headers['posthorn-test'] === undefined ? 500 : 200 }),
        { circuit: { consecutiveFailures: 3, openMs: 3_600_000, maxOpenMs: 3_600_000 } },
      );
      await known();
      await send(100);
      await broken.receiver.waitFor(3, 20_000);
      await dispatched();
      expect(await sendTest(broken)).toMatchObject({ outcome: 'delivered', response: { status: 200 } });
      // What was on its way when it opened, and the test.
      expect(broken.receiver.requests.length).toBeLessThan(50);
    });
  });
});
