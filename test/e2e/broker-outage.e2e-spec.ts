import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestCluster, type TestCluster } from '#libs/runtime';
import { PlatformUnderTest } from './platform-under-test.js';
import { sampleEvents, structured } from './sample-events.js';

/** The broker is killed for 20 s during ingest over REST. Real: all. */
describe('a broker that is gone for 20 s', () => {
  let cluster: TestCluster;
  let test: PlatformUnderTest;

  beforeAll(async () => {
    cluster = await startTestCluster({ brokers: 1 });
    test = await PlatformUnderTest.start({
      kafkaBrokers: cluster.brokers.join(','),
      settings: { POSTHORN_INGEST_TIMEOUT_MS: '2000' },
    });
  });
  afterAll(async () => {
    await test?.stop();
    await cluster?.stop();
  });

  it('answers 503 with Retry-After meanwhile, loses nothing that was acknowledged, and goes on by itself', async () => {
    await test.addEndpoint(['*']);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const acknowledged = new Set<string>();
    const refused: { status: number; retryAfter: string | null }[] = [];
    let stop = false;
    const ingest = async (lane: number): Promise<void> => {
      for (let n = 0; !stop; n += 1) {
        const [event] = sampleEvents(`outage-${lane}`, 1, n);
        const answer = await fetch(`${test.platform.apiUrl}/v1/events`, {
          method: 'POST',
          headers: {
            authorization: `Bearer ${test.platform.operatorKey}`,
            'content-type': 'application/cloudevents+json',
          },
          body: JSON.stringify(structured(event!, test.tenantId)),
        });
        await answer.text();
        if (answer.status === 202) acknowledged.add(event!.id);
        else refused.push({ status: answer.status, retryAfter: answer.headers.get('retry-after') });
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    const lanes = Promise.all([0, 1, 2, 3].map((lane) => ingest(lane)));
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const before = acknowledged.size;
    await cluster.kill(0);
    await new Promise((resolve) => setTimeout(resolve, 20_000));
    await cluster.restart(0);
    const back = acknowledged.size;
    const deadline = performance.now() + 40_000;
    while (acknowledged.size < back + 20 && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    stop = true;
    await lanes;

    expect(before).toBeGreaterThan(0);
    expect(acknowledged.size).toBeGreaterThanOrEqual(back + 20);
    expect(refused.length).toBeGreaterThan(0);
    for (const one of refused) {
      expect(one.status).toBe(503);
      expect(Number(one.retryAfter)).toBeGreaterThan(0);
    }
    const verdict = await test.settledVerdict(60_000);
    expect(verdict.violations.slice(0, 5)).toEqual([]);
    const received = new Set(
      test.endpoints[0]!.receiver.requests.map(({ body }) => (JSON.parse(body.toString()) as { id: string }).id),
    );
    expect([...acknowledged].filter((id) => !received.has(id))).toEqual([]);
  });
});
