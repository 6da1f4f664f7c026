import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { SchemaRegistry } from '@kafkajs/confluent-schema-registry';
import { Webhook } from 'standardwebhooks';
import { PlatformUnderTest, type EndpointUnderTest } from './platform-under-test.js';
import { readTopic } from './read-evidence.js';
import { comment, sampleEvents, structured, type UpstreamService } from './sample-events.js';

const run = promisify(execFile);

/** Real: four app processes, broker, registry, database, HTTP. Doubled: nothing. */
describe('the pipeline, from ingest to delivered', () => {
  let test: PlatformUnderTest;
  let upstream: UpstreamService;
  let everything: EndpointUnderTest;
  let tasks: EndpointUnderTest;

  beforeAll(async () => {
    test = await PlatformUnderTest.start();
    upstream = await test.upstream();
    everything = await test.addEndpoint(['*']);
    tasks = await test.addEndpoint(['task.*']);
    // The configuration reaches the dispatcher over the outbox and the log; give it the moment that it takes.
    await new Promise((resolve) => setTimeout(resolve, 2_000));
  });
  afterAll(async () => {
    await upstream?.close();
    await test?.stop();
  });

  it('delivers what upstream services append, in all three forms, to each endpoint that wants it', async () => {
    const [a, b, c] = sampleEvents('forms', 3);
    await upstream.send([await upstream.binaryAvro(a!), upstream.binaryJson(b!), upstream.structuredJson(c!)]);
    await everything.receiver.waitFor(3, 15_000);
    await tasks.receiver.waitFor(1, 15_000);
    const bodies = everything.receiver.requests.map(
      ({ body }) => JSON.parse(body.toString()) as Record<string, unknown>,
    );
    for (const event of [a!, b!, c!]) {
      expect(bodies.find(({ id }) => id === event.id)).toMatchObject({
        specversion: '1.0',
        id: event.id,
        source: '/e2e',
        type: event.type,
        subject: event.subject,
        data: event.data,
      });
    }
    expect(everything.receiver.requests[0]?.headers['content-type']).toBe(
      'application/cloudevents+json; charset=utf-8',
    );
  });

  it('accepts events over REST in structured, batched and binary mode, and delivers them', async () => {
    const before = everything.receiver.requests.length;
    const events = sampleEvents('rest', 4);
    const post = (headers: Record<string, string>, body: unknown) =>
      fetch(`${test.platform.apiUrl}/v1/events`, {
        method: 'POST',
        headers: { authorization: `Bearer ${test.platform.operatorKey}`, ...headers },
        body: JSON.stringify(body),
      });
    const one = await post({ 'content-type': 'application/cloudevents+json' }, structured(events[0]!, test.tenantId));
    expect(one.status).toBe(202);
    const batch = await post(
      { 'content-type': 'application/cloudevents-batch+json' },
      [events[1]!, events[2]!].map((event) => structured(event, test.tenantId)),
    );
    expect(batch.status).toBe(202);
    expect(((await batch.json()) as { accepted: unknown[] }).accepted).toHaveLength(2);
    const binary = await post(
      {
        'content-type': 'application/json',
        'ce-specversion': '1.0',
        'ce-id': events[3]!.id,
        'ce-source': '/e2e',
        'ce-type': events[3]!.type,
        'ce-tenantid': test.tenantId,
      },
      events[3]!.data,
    );
    expect(binary.status).toBe(202);
    await everything.receiver.waitFor(before + 4, 15_000);
  });

  it('dispatches an event that is sent again once, and says so over REST', async () => {
    const before = everything.receiver.requests.length;
    const [event, next] = sampleEvents('again', 2);
    const send = async (one: unknown) => {
      const answer = await fetch(`${test.platform.apiUrl}/v1/events`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${test.platform.operatorKey}`,
          'content-type': 'application/cloudevents+json',
        },
        body: JSON.stringify(one),
      });
      return ((await answer.json()) as { accepted: { repeat?: boolean }[] }).accepted[0];
    };
    expect(await send(structured(event!, test.tenantId))).not.toHaveProperty('repeat');
    expect(await send(structured(event!, test.tenantId))).toMatchObject({ repeat: true });
    await upstream.send([upstream.binaryJson(event!), upstream.binaryJson(event!), upstream.binaryJson(next!)]);
    await everything.receiver.waitFor(before + 2, 15_000);
    const ids = everything.receiver.requests
      .slice(before)
      .map(({ body }) => (JSON.parse(body.toString()) as { id: string }).id);
    expect(ids.toSorted()).toEqual([event!.id, next!.id].toSorted());
  });

  it('writes valid CloudEvents, as a stock Kafka client sees them', async () => {
    const records = await readTopic(test.services.kafkaBrokers, `${test.prefix}.events`);
    const registry = new SchemaRegistry({ host: test.services.schemaRegistryUrl });
    const rest = records.filter(({ headers }) => String(headers?.['ce_id']).startsWith('rest-'));
    expect(rest).toHaveLength(4);
    for (const { headers, key, value } of rest) {
      expect(String(headers?.['ce_specversion'])).toBe('1.0');
      expect(String(headers?.['ce_source'])).toBe('/e2e');
      expect(String(headers?.['ce_type'])).toMatch(/^[a-z]+\.[a-z]+$/);
      expect(String(headers?.['ce_tenantid'])).toBe(test.tenantId);
      expect(String(headers?.['content-type'])).toBe('application/avro');
      expect(String(key)).toBe(test.tenantId);
      expect(String(headers?.['ce_time'] ?? '2026-01-02T03:04:05.678Z')).toMatch(
        /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/,
      );
      const sent = sampleEvents('rest', 4).find(({ id }) => id === String(headers?.['ce_id']));
      const { projectId } = sent!.data as { projectId: string };
      expect(await registry.decode(value!)).toMatchObject({ projectId });
    }
  });

  it('signs so that the standardwebhooks package from npm verifies each delivery', () => {
    const verifier = new Webhook(everything.secret);
    expect(everything.receiver.requests.length).toBeGreaterThan(0);
    for (const { headers, body } of everything.receiver.requests) {
      const event = verifier.verify(body.toString(), headers as Record<string, string>) as { specversion: string };
      expect(event.specversion).toBe('1.0');
      expect(() => verifier.verify(`${body.toString()} `, headers as Record<string, string>)).toThrow();
    }
  });

  it('signs so that the standardwebhooks package from PyPI verifies each delivery', async (context) => {
    const folder = mkdtempSync(join(tmpdir(), 'posthorn-python-'));
    try {
      const installed = await run(
        'python3',
        ['-m', 'pip', 'install', '-q', '--target', folder, 'standardwebhooks==1.0.1'],
        {
          timeout: 60_000,
        },
      ).catch((error: unknown) => error);
      if (installed instanceof Error) {
        context.skip(`python3 with pip and PyPI is needed: ${installed.message.split('\n')[0] ?? ''}`);
      }
      const requests = everything.receiver.requests.map(({ headers, body }) => ({
        headers,
        body: body.toString('base64'),
      }));
      writeFileSync(join(folder, 'requests.json'), JSON.stringify({ secret: everything.secret, requests }));
      writeFileSync(
        join(folder, 'verify.py'),
        [
          'import base64, json, os, sys',
          'from standardwebhooks.webhooks import Webhook',
          'given = json.load(open(os.path.join(sys.argv[1], "requests.json")))',
          'hook = Webhook(given["secret"])',
          'for r in given["requests"]:',
          '    hook.verify(base64.b64decode(r["body"]).decode(), r["headers"])',
          'print(len(given["requests"]))',
        ].join('\n'),
      );
      const { stdout } = await run('python3', [join(folder, 'verify.py'), folder], {
        env: { ...process.env, PYTHONPATH: folder },
      });
      expect(Number(stdout.trim())).toBe(requests.length);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('retries what fails, gives up at the end of the schedule, and tells the whole story in the delivery log', async () => {
    const flaky = await test.addEndpoint(['comment.added'], (_, __, earlier) => (earlier === 0 ? { status: 503 } : {}));
    const broken = await test.addEndpoint(['comment.added'], () => ({ status: 500, body: 'x'.repeat(5_000) }), {
      retry: { delaysMs: [1000, 1000], jitter: 0 },
    });
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    await upstream.send([
      upstream.binaryJson({ id: 'story', type: 'comment.added', source: '/e2e', data: comment(1) }),
    ]);
    await flaky.receiver.waitFor(2, 15_000);
    await broken.receiver.waitFor(3, 20_000);
    const verdict = await test.settledVerdict(20_000);
    expect(verdict.violations).toEqual([]);
    expect(verdict.deadLettered).toBe(1);

    const [first, second] = flaky.receiver.requests;
    expect(second?.headers['webhook-id']).toBe(first?.headers['webhook-id']);
    expect(second!.at - first!.at).toBeGreaterThanOrEqual(900);

    const story = await vi.waitUntil(
      async () => {
        const { body: page } = await test.platform.request<{ data: { id: string; status: string }[] }>(
          'GET',
          `/v1/deliveries?endpointId=${broken.endpointId}`,
        );
        const found = page.data.find(({ status }) => status === 'dead-lettered');
        return found ? test.platform.request<DeliveryStory>('GET', `/v1/deliveries/${found.id}`) : null;
      },
      { timeout: 15_000, interval: 250 },
    );
    expect(story.status).toBe(200);
    expect(story.body).toMatchObject({ status: 'dead-lettered', deadLetterReason: 'exhausted' });
    expect(story.body.attempts).toHaveLength(3);
    for (const [index, attempt] of story.body.attempts.entries()) {
      expect(attempt.number).toBe(index + 1);
      expect(attempt.response?.status).toBe(500);
      expect(JSON.stringify(attempt)).toContain('x'.repeat(4096));
      expect(JSON.stringify(attempt)).not.toContain('x'.repeat(4097));
    }
  });

  it('counts what happened, and answers for its health', async () => {
    for (const app of test.platform.running) {
      expect((await fetch(`${app.url}/healthz`)).status).toBe(200);
      expect((await fetch(`${app.url}/readyz`)).status).toBe(200);
    }
    const metric = async (name: 'dispatcher' | 'worker' | 'api', line: RegExp) =>
      line.exec(await (await fetch(`${test.platform.of(name).url}/metrics`)).text())?.[1];
    expect(Number(await metric('api', /posthorn_events_accepted_total\{[^}]*\} (\d+)/))).toBeGreaterThanOrEqual(5);
    expect(Number(await metric('dispatcher', /posthorn_deliveries_dispatched_total\{[^}]*\} (\d+)/))).toBeGreaterThan(
      8,
    );
    expect(Number(await metric('worker', /posthorn_deliveries_delivered_total\{[^}]*\} (\d+)/))).toBeGreaterThan(8);
    expect(
      await metric('worker', /posthorn_deliveries_dead_lettered_total\{[^}]*reason="exhausted"[^}]*\} (\d+)/),
    ).toBe('1');
    expect(Number(await metric('worker', /posthorn_deliveries_retried_total\{[^}]*\} (\d+)/))).toBeGreaterThanOrEqual(
      3,
    );
    expect(await metric('worker', /posthorn_in_flight\{[^}]*\} (\d+)/)).toBe('0');
    expect(await metric('worker', /posthorn_delivery_latency_seconds_count\{[^}]*\} (\d+)/)).toBeDefined();
    expect(await metric('dispatcher', /posthorn_lag_records\{[^}]*\} (\d+)/)).toBeDefined();
  });

  it('invariant 8: never shows a secret again: not in an answer, not in the topic', async () => {
    const bare = everything.secret.replace('whsec_', '');
    const read = await test.platform.request('GET', `/v1/endpoints/${everything.endpointId}`);
    expect(JSON.stringify(read.body)).not.toContain(bare);
    const topic = await readTopic(test.services.kafkaBrokers, `${test.prefix}.endpoints`);
    expect(topic.length).toBeGreaterThan(1);
    for (const { value } of topic) expect(value?.toString('latin1') ?? '').not.toContain(bare);
  });
});

interface DeliveryStory {
  readonly status: string;
  readonly attempts: readonly { readonly number: number; readonly response: { readonly status: number } | null }[];
}
