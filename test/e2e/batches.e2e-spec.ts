import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseSecret, verifyWebhook } from '#libs/core';
import type { ReceivedRequest } from '#libs/testing';
import { PlatformUnderTest, type EndpointUnderTest } from './platform-under-test.js';
import { sampleEvents, type UpstreamService } from './sample-events.js';

const batch = { maxEvents: 20, maxBytes: 200_000, maxWaitMs: 200 };

interface Received {
  readonly webhookId: string;
  readonly body: string;
  readonly events: readonly { readonly id: string; readonly subject: string }[];
  readonly accepted: boolean;
}

/** Real: all. Asserted from what the receiver got, and from the log. */
describe('an endpoint that asks for batches, gzipped and in order, whose worker is killed', () => {
  let test: PlatformUnderTest;
  let upstream: UpstreamService;
  let endpoint: EndpointUnderTest;

  beforeAll(async () => {
    test = await PlatformUnderTest.start({ settings: { POSTHORN_SESSION_TIMEOUT_MS: '6000' } });
    upstream = await test.upstream();
    const retry = { delaysMs: Array.from({ length: 10 }, () => 1_000), jitter: 0.1 };
    const program = (_: ReceivedRequest, index: number) => ({ status: index % 5 === 2 ? 503 : 204, delayMs: 40 });
    const settings = { batch, ordering: 'key', compression: 'gzip', retry, maxInFlight: 4 };
    endpoint = await test.addEndpoint(['*'], program, settings);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
  });
  afterAll(async () => {
    await upstream?.close();
    await test?.stop();
  });

  const received = (): readonly Received[] =>
    endpoint.receiver.requests.map(({ headers, body: raw }, index) => {
      const body = headers['content-encoding'] === 'gzip' ? gunzipSync(raw).toString() : raw.toString();
      return {
        webhookId: String(headers['webhook-id']),
        body,
        events: JSON.parse(body) as Received['events'],
        accepted: (endpoint.statuses[index] ?? 0) < 300,
      };
    });

  it('invariants 1, 2 and 3: gets each event, in its order, in the batch that it was in from the beginning', async () => {
    const events = sampleEvents('batch', 250);
    await upstream.send(events.slice(0, 125).map((event) => upstream.binaryJson(event)));
    await endpoint.receiver.waitFor(4, 20_000);
    await test.platform.kill(test.platform.of('worker'));
    await upstream.send(events.slice(125).map((event) => upstream.binaryJson(event)));
    await test.platform.launch('worker');

    const { attempts } = await finalsOf(test, events.length);
    const finals = attempts.filter(({ outcome }) => outcome === 'delivered');
    expect(new Set(finals.map(({ eventId }) => eventId))).toEqual(new Set(events.map(({ id }) => id)));

    const posts = received();
    for (const [index, { headers }] of endpoint.receiver.requests.entries()) {
      expect(headers['content-type']).toBe('application/cloudevents-batch+json; charset=utf-8');
      const [id, timestamp, signature] = ['id', 'timestamp', 'signature'].map((name) =>
        String(headers[`webhook-${name}`]),
      );
      const signed = { id, timestamp, signature, body: Buffer.from(posts[index]?.body ?? '') };
      expect(verifyWebhook([parseSecret(endpoint.secret)], signed, Number(timestamp))).toEqual({ ok: true });
    }
    // Under an id always the same, and each event under one id.
    for (const of of Map.groupBy(posts, ({ webhookId }) => webhookId).values())
      expect(new Set(of.map(({ body }) => body)).size).toBe(1);
    const travelled = new Map<string, Set<string>>();
    for (const { webhookId, events: inIt } of posts)
      for (const { id } of inIt) travelled.set(id, (travelled.get(id) ?? new Set()).add(webhookId));
    expect([...travelled.values()].filter((ids) => ids.size !== 1)).toEqual([]);
    expect(Math.max(...posts.map((one) => one.events.length))).toBeGreaterThan(5);
    expect(Math.max(...posts.map((one) => one.events.length))).toBeLessThanOrEqual(20);

    const firsts = new Map<string, { readonly id: string; readonly subject: string }>();
    for (const { events: inIt } of posts.filter(({ accepted }) => accepted))
      for (const event of inIt) if (!firsts.has(event.id)) firsts.set(event.id, event);
    expect(firsts.size).toBe(events.length);
    const numberOf = ({ id }: { readonly id: string }): number => Number(id.slice('batch-'.length));
    for (const ofKey of Map.groupBy(firsts.values(), ({ subject }) => subject).values()) {
      const numbers = ofKey.map(numberOf);
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    }
    console.log(
      `batches: ${posts.length} POSTs of ${new Set(posts.map((one) => one.webhookId)).size} batches, ${events.length} events`,
    );
  });
});

async function finalsOf(test: PlatformUnderTest, count: number) {
  const deadline = performance.now() + 90_000;
  for (;;) {
    const log = await test.readLog();
    const done = new Set(log.attempts.filter(({ outcome }) => outcome === 'delivered').map(({ eventId }) => eventId));
    if (done.size >= count || performance.now() > deadline) return log;
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
}
