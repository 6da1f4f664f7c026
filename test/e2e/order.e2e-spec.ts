import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { PlatformUnderTest, type EndpointUnderTest } from './platform-under-test.js';
import { comment, type UpstreamService } from './sample-events.js';

interface HaltedKeys {
  readonly data: readonly { readonly deliveryId: string; readonly orderingKey: string | null }[];
}

/** Real: four app processes, broker, registry, database, HTTP. Doubled: nothing. */
describe('order per key, and keys that halt', () => {
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

  const known = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 2_000));
  const send = (ids: readonly string[], subject: string) =>
    upstream.send(
      ids.map((id) => ({
        ...upstream.binaryJson({ id, type: 'comment.added', source: '/e2e', subject, data: comment(1) }),
      })),
    );
  /** Events that it acknowledged, in that order. */
  const acknowledged = ({ receiver, statuses }: EndpointUnderTest): string[] =>
    receiver.requests.flatMap(({ body }, index) => {
      const status = statuses[index] ?? 0;
      return status >= 200 && status < 300 ? [(JSON.parse(body.toString()) as { id: string }).id] : [];
    });

  it('2. keeps a key that halts, shows it, and goes on with its head or after it, as someone decides', async () => {
    let isBroken = true;
    const halting = await test.addEndpoint(
      ['comment.added'],
      ({ body }) => {
        const { subject } = JSON.parse(body.toString()) as { subject: string };
        return subject === 'bad' && isBroken ? { status: 500 } : {};
      },
      { ordering: 'key', onExhausted: 'halt', retry: { delaysMs: [1000], jitter: 0 } },
    );
    await known();
    await send(['bad-1', 'bad-2', 'bad-3'], 'bad');
    await send(['good-1', 'good-2'], 'good');
    const keysOf = async (): Promise<HaltedKeys['data']> =>
      (await test.platform.request<HaltedKeys>('GET', `/v1/endpoints/${halting.endpointId}/halted-keys`)).body.data;
    const halted = await vi.waitUntil(
      async () => {
        const [one] = await keysOf();
        return one ?? null;
      },
      { timeout: 20_000, interval: 250 },
    );
    expect(halted.orderingKey).toBe('bad');
    expect(acknowledged(halting)).toEqual(['good-1', 'good-2']);
    const decide = (deliveryId: string, what: 'release' | 'skip') =>
      test.platform.request(
        'POST',
        `/v1/endpoints/${halting.endpointId}/halted-keys/${encodeURIComponent(deliveryId)}/${what}`,
      );

    // Skipped: a dead letter, and the next one is tried, and halts in its turn.
    expect((await decide(halted.deliveryId, 'skip')).status).toBe(202);
    const next = await vi.waitUntil(
      async () => (await keysOf()).find(({ deliveryId }) => deliveryId !== halted.deliveryId) ?? null,
      { timeout: 20_000, interval: 250 },
    );
    expect(acknowledged(halting)).toEqual(['good-1', 'good-2']);

    // Mended and released: it is sent, and what is behind it.
    isBroken = false;
    expect((await decide(next.deliveryId, 'release')).status).toBe(202);
    await vi.waitUntil(() => acknowledged(halting).length === 4, { timeout: 20_000, interval: 100 });
    expect(acknowledged(halting)).toEqual(['good-1', 'good-2', 'bad-2', 'bad-3']);
    await vi.waitUntil(async () => (await keysOf()).length === 0, { timeout: 20_000, interval: 250 });
    expect((await decide(next.deliveryId, 'release')).status).toBe(409);
    const { body } = await test.platform.request<{ status: string; deadLetterReason: string }>(
      'GET',
      `/v1/deliveries/${encodeURIComponent(halted.deliveryId)}`,
    );
    expect(body).toMatchObject({ status: 'dead-lettered', deadLetterReason: 'skipped' });
  });
});
