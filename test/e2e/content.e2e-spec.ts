import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { HTTP, type CloudEvent as SdkEvent } from 'cloudevents';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { PlatformUnderTest, type EndpointUnderTest } from './platform-under-test.js';
import { comment, sampleEvents, type CloudEvent, type UpstreamService } from './sample-events.js';

const run = promisify(execFile);
const waiting = { timeout: 30_000, interval: 100 };

/**
 * What endpoints receive: formats, versions, filters, transformations, batches, as their owners set them over REST.
 * Real: four app processes, broker, registry, database, HTTP, the sandbox. Doubled: nothing.
 */
describe('what an endpoint receives', () => {
  let test: PlatformUnderTest;
  let upstream: UpstreamService;

  beforeAll(async () => {
    test = await PlatformUnderTest.start();
    upstream = await test.upstream();
  });
  afterAll(async () => {
    await upstream?.close();
    await test?.stop();
  });

  const send = (events: readonly CloudEvent[]): Promise<void> =>
    upstream.send(events.map((event) => upstream.binaryJson(event)));
  const comments = (tag: string, count: number, change: (n: number) => object = () => ({})): CloudEvent[] =>
    Array.from({ length: count }, (_, n) => ({
      id: `${tag}-${n}`,
      type: 'comment.added',
      source: '/e2e',
      subject: `naïve 😀 ${n}`,
      data: { ...comment(n), ...change(n) },
    }));
  const jsonOf = (endpoint: EndpointUnderTest): unknown[] =>
    endpoint.receiver.requests.map(({ body }) => JSON.parse(body.toString()) as unknown);
  const call = async <T>(method: string, path: string, body?: object): Promise<T> => {
    const answer = await test.platform.request<T>(method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  /** Endpoints are known to dispatchers within a moment. */
  const known = (): Promise<void> => sleep(1_500);

  describe('formats', () => {
    const endpoints = new Map<string, EndpointUnderTest>();
    const events = comments('formats', 6);
    const of = (name: string): EndpointUnderTest => endpoints.get(name) ?? expect.fail(name);

    beforeAll(async () => {
      for (const format of ['structured', 'binary', 'standard', 'data'])
        endpoints.set(format, await test.addEndpoint(['comment.added'], undefined, { format }));
      const batch = { maxEvents: 6, maxWaitMs: 60_000 };
      endpoints.set('batched', await test.addEndpoint(['comment.added'], undefined, { batch }));
      const gzip = { compression: 'gzip', headers: { 'X-Region': 'eu' } };
      endpoints.set('gzipped', await test.addEndpoint(['comment.added'], undefined, gzip));
      await known();
      await send(events.map((event) => ({ ...event, data: { ...comment(1), text: 'x'.repeat(2_000) } })));
      for (const [name, { receiver }] of endpoints) await receiver.waitFor(name === 'batched' ? 1 : 6, 30_000);
    });

    it('are verified as Standard Webhooks, whatever they are', () => {
      for (const { secret, receiver } of endpoints.values()) {
        for (const { headers, body } of receiver.requests) {
          const plain = headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
          expect(() => new Webhook(secret).verify(plain.toString(), headers as Record<string, string>)).not.toThrow();
        }
      }
    });

    it('are read by the CloudEvents SDK for JavaScript: structured, binary, batched', () => {
      const readBy = (name: string): SdkEvent<unknown>[] =>
        of(name).receiver.requests.flatMap(({ headers, body }) => {
          const read = HTTP.toEvent({ headers, body: body.toString() });
          return (Array.isArray(read) ? read : [read]) as SdkEvent<unknown>[];
        });
      for (const name of ['structured', 'binary', 'batched']) {
        const read = readBy(name);
        expect(read.map(({ id }) => id).toSorted()).toEqual(events.map(({ id }) => id));
        for (const one of read) expect(one).toMatchObject({ source: '/e2e', type: 'comment.added' });
        expect(read[0]?.data).toMatchObject({ projectId: 'p-1', author: { name: 'Ada Okafor' } });
      }
    });

    it('are read by the CloudEvents SDK for Python, subjects and all', async (context) => {
      const folder = mkdtempSync(join(tmpdir(), 'posthorn-python-'));
      try {
        const install = ['-m', 'pip', 'install', '-q', '--target', folder, 'cloudevents==1.12.1'];
        const installed = await run('python3', install, { timeout: 60_000 }).catch((error: unknown) => error);
        if (installed instanceof Error)
          context.skip(`python3 with pip and PyPI is needed: ${installed.message.split('\n')[0] ?? ''}`);
        const requests = ['structured', 'binary', 'batched'].flatMap((name) =>
          of(name).receiver.requests.map(({ headers, body }) => ({ headers, body: body.toString('base64') })),
        );
        writeFileSync(join(folder, 'requests.json'), JSON.stringify(requests));
        writeFileSync(
          join(folder, 'read.py'),
          [
            'import base64, json, os, sys',
            'from cloudevents.http import from_http, from_json',
            'read = []',
            'for r in json.load(open(os.path.join(sys.argv[1], "requests.json"))):',
            '    body = base64.b64decode(r["body"])',
            '    if r["headers"]["content-type"].startswith("application/cloudevents-batch"):',
            '        events = [from_json(json.dumps(one)) for one in json.loads(body)]',
            '    else:',
            '        events = [from_http(r["headers"], body)]',
            '    for e in events:',
            '        read.append([e["id"], e["source"], e["type"], e["subject"], e.data["projectId"]])',
            'print(json.dumps(read))',
          ].join('\n'),
        );
        const { stdout } = await run('python3', [join(folder, 'read.py'), folder], {
          env: { ...process.env, PYTHONPATH: folder },
        });
        const read = JSON.parse(stdout) as string[][];
        expect(read).toHaveLength(18);
        for (const [id = '', source, type, subject, projectId] of read) {
          const event = events.find((one) => one.id === id);
          expect([source, type, decodeURIComponent(subject ?? ''), projectId]).toEqual([
            '/e2e',
            'comment.added',
            event?.subject,
            'p-1',
          ]);
        }
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    });

    it('have the payload of Standard Webhooks, or the data alone', () => {
      for (const one of jsonOf(of('standard')))
        expect(one).toMatchObject({ type: 'comment.added', timestamp: '2026-01-02T03:04:05.678Z' });
      expect(Object.keys(jsonOf(of('standard'))[0] as object)).toEqual(['type', 'timestamp', 'data']);
      expect(jsonOf(of('data'))[0]).toMatchObject({ commentId: 'c-1', projectId: 'p-1' });
    });

    it('travel gzipped and with headers of its own where the endpoint says so', () => {
      for (const { headers, body } of of('gzipped').receiver.requests) {
        expect(headers).toMatchObject({ 'content-encoding': 'gzip', 'x-region': 'eu' });
        expect(body.length).toBeLessThan(1_500);
        expect(JSON.parse(gunzipSync(body).toString())).toMatchObject({ type: 'comment.added' });
      }
    });

    it('of a batch are one POST, and single deliveries in the log', async () => {
      const [request] = of('batched').receiver.requests;
      expect(of('batched').receiver.requests).toHaveLength(1);
      expect(request?.headers['content-type']).toBe('application/cloudevents-batch+json; charset=utf-8');
      const { endpointId } = of('batched');
      const rows = await vi.waitUntil(async () => {
        const query = `/v1/deliveries?endpointId=${endpointId}&limit=50`;
        const { data } = await call<{ data: { id: string; status: string; event: { id: string } }[] }>('GET', query);
        return data.length === 6 && data.every(({ status }) => status === 'delivered') ? data : null;
      }, waiting);
      expect(rows.map(({ event }) => event.id).toSorted()).toEqual(events.map(({ id }) => id));
      const { attempts } = await call<{ attempts: { batch: object | null }[] }>('GET', `/v1/deliveries/${rows[0]?.id}`);
      expect(attempts).toMatchObject([{ batch: { id: request?.headers['webhook-id'], size: 6 } }]);
    });
  });

  it('is the version that it has pinned, for events of any version, old ones of the log too', async () => {
    const task = (n: number) => ({
      taskId: `t-${n}`,
      projectId: 'p-1',
      title: 'Wash up',
      priority: 'high',
      assignee: { id: 'u-2', name: 'Grace', email: null },
      estimateHours: 1.5,
      changes: [],
      updatedBy: { id: 'u-1', name: 'Ada', email: null },
      updatedAt: '2026-01-02T03:04:05.678Z',
    });
    const event = (n: number): CloudEvent => ({ id: `v-${n}`, type: 'task.updated', source: '/e2e', data: task(n) });
    const pinnedTo = (version: number | 'latest', more: object = {}) =>
      test.addEndpoint(['task.updated'], undefined, { format: 'data', versions: { 'task.updated': version }, ...more });
    const endpoints = [await pinnedTo(1), await pinnedTo(2), await pinnedTo('latest')];
    await known();
    await send([event(1)]);
    // As a producer that never moved on would write it.
    const old = await upstream.avroOfVersion({ ...event(2), data: { ...task(2), section: 'kitchen' } }, 1);
    await upstream.send([old]);
    for (const { receiver } of endpoints) await receiver.waitFor(2, 30_000);
    const [v1, v2, v3] = [
      ['changes', 'priority', 'projectId', 'section', 'taskId', 'title', 'updatedAt', 'updatedBy'],
      ['assignee', 'changes', 'priority', 'projectId', 'section', 'taskId', 'title', 'updatedAt', 'updatedBy'],
      ['assignee', 'changes', 'estimateHours', 'priority', 'projectId', 'taskId', 'title', 'updatedAt', 'updatedBy'],
    ];
    const shapes = endpoints.map((endpoint) => jsonOf(endpoint).map((one) => Object.keys(one as object).toSorted()));
    expect(shapes).toEqual([
      [v1, v1],
      [v2, v2],
      [v3, v3],
    ]);
    expect(jsonOf(endpoints[0]!)).toMatchObject([{ section: null }, { section: 'kitchen' }]);
    expect(jsonOf(endpoints[2]!)[1]).toMatchObject({ taskId: 't-2', assignee: null, estimateHours: null });

    // History, replayed to one that did not exist then.
    const late = await pinnedTo('latest', { since: 'beginning' });
    await late.receiver.waitFor(2, 30_000);
    expect(jsonOf(late)).toEqual(jsonOf(endpoints[2]!));
  });

  it('is what its filters let through', async () => {
    const filters = [
      { cel: 'data.text.startsWith("yes") && data.author.name != null' },
      { prefix: { id: 'filters-' } },
    ];
    const endpoint = await test.addEndpoint(['comment.*'], undefined, { filters });
    const failing = await test.addEndpoint(['comment.*'], undefined, { filters: [{ cel: 'size(data.nothing) > 1' }] });
    await known();
    await send(comments('filters', 6, (n) => ({ text: n % 2 === 0 ? 'yes' : 'no' })));
    await endpoint.receiver.waitFor(3, 30_000);
    expect(jsonOf(endpoint).map((one) => (one as { id: string }).id)).toEqual(['filters-0', 'filters-2', 'filters-4']);
    const faults = await vi.waitUntil(async () => {
      const path = `/v1/endpoints/${failing.endpointId}`;
      const found = (await call<{ faults: { kind: string; count: number }[] }>('GET', path)).faults;
      return found.length > 0 ? found : null;
    }, waiting);
    expect(faults).toMatchObject([{ kind: 'filter', count: 6 }]);
    expect(failing.receiver.requests).toEqual([]);
  });

  it('is what its transformation makes of it; what that fails on is a dead letter, replayed after the mend', async () => {
    const code = (mended: boolean): string => `
      function handler(webhook) {
        const { data } = webhook.payload;
        if (data.text === 'cancel') webhook.cancel = true;
        if (data.text === 'fail' && !${mended}) throw new Error('no idea');
        webhook.payload = { said: data.text.toUpperCase(), at: new Date().toISOString() };
        webhook.headers['x-said'] = 'yes';
        return webhook;
      }`;
    const { id } = await call<{ id: string }>('POST', '/v1/transformations', {
      tenantId: test.tenantId,
      name: 'shout',
      code: code(false),
    });
    const settings = { transformationId: id, ordering: 'endpoint' };
    const endpoint = await test.addEndpoint(['comment.*'], undefined, settings);
    await known();
    const words = ['hello', 'fail', 'cancel', 'bye'];
    await send(comments('transformed', 4, (n) => ({ text: words[n] })));
    await endpoint.receiver.waitFor(2, 30_000);
    const at = '2026-01-02T03:04:05.678Z';
    expect(jsonOf(endpoint)).toEqual([
      { said: 'HELLO', at },
      { said: 'BYE', at },
    ]);
    expect(endpoint.receiver.requests[0]?.headers).toMatchObject({ 'x-said': 'yes' });

    const query = `/v1/dead-letters?endpointId=${endpoint.endpointId}`;
    const letter = await vi.waitUntil(
      async () => (await call<{ data: { deliveryId: string; reason: string }[] }>('GET', query)).data[0] ?? null,
      waiting,
    );
    expect(letter.reason).toBe('transformation');
    await call('PATCH', `/v1/transformations/${id}`, { code: code(true) });
    await known();
    await call('POST', `/v1/dead-letters/${letter.deliveryId}/replay`);
    await endpoint.receiver.waitFor(3, 30_000);
    // What is kept of the event beside its form is when it was accepted.
    expect(jsonOf(endpoint)[2]).toMatchObject({ said: 'FAIL' });
  });

  it('costs nobody else anything when its code never ends', async () => {
    const { id } = await call<{ id: string }>('POST', '/v1/transformations', {
      tenantId: test.tenantId,
      name: 'hang',
      code: 'function handler(webhook) { for (;;); }',
    });
    const hanging = await test.addEndpoint(['task.completed'], undefined, { transformationId: id });
    const other = await test.addEndpoint(['task.completed']);
    await known();
    await send(sampleEvents('hang', 60).filter(({ type }) => type === 'task.completed'));
    await other.receiver.waitFor(20, 30_000);
    const attempts = await vi.waitUntil(async () => {
      const { attempts: all } = await test.readLog();
      const own = all.filter(({ endpointId }) => endpointId === hanging.endpointId);
      return own.length === 20 ? own : null;
    }, waiting);
    expect(attempts.every(({ deadLetterReason }) => deadLetterReason === 'transformation')).toBe(true);
    expect(hanging.receiver.requests).toEqual([]);
  });
});
