import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { appNames } from '#libs/app-processes';
import { PlatformUnderTest } from './platform-under-test.js';
import { sampleEvents, structured, UpstreamService } from './sample-events.js';

/**
 * Invariant 1 under kill -9. Real: all. Asserted from the log and the receivers' records; duplicates are counted, not
 * forbidden (a POST that was on its way when its worker died is sent again).
 */
describe('kill -9 in the middle of 2,000 events', () => {
  let test: PlatformUnderTest;
  let upstream: UpstreamService;

  beforeAll(async () => {
    test = await PlatformUnderTest.start({ settings: { POSTHORN_SESSION_TIMEOUT_MS: '6000' } });
    upstream = await UpstreamService.connect({
      brokers: test.services.kafkaBrokers,
      registryUrl: test.services.schemaRegistryUrl,
      topic: `${test.prefix}.events`,
      tenantId: test.tenantId,
    });
  });
  afterAll(async () => {
    await upstream?.close();
    await test?.stop();
  });

  it('invariant 1: every event reaches its end state, whichever app is killed', async () => {
    await test.addEndpoint(['*']);
    await test.addEndpoint(['task.*'], (_, index) => ({ status: index % 10 < 3 ? 503 : 204 }), {
      retry: { delaysMs: [1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000], jitter: 0.1 },
    });
    await test.addEndpoint(['comment.added'], () => ({ status: 500 }), { retry: { delaysMs: [1000], jitter: 0 } });
    await new Promise((resolve) => setTimeout(resolve, 2_000));

    const events = sampleEvents('kill', 2_000);
    const perApp = events.length / appNames.length;
    for (const [index, name] of appNames.entries()) {
      const part = events.slice(index * perApp, (index + 1) * perApp);
      const half = part.length / 2;
      await upstream.send(part.slice(0, half).map((event) => upstream.binaryJson(event)));
      await test.platform.kill(test.platform.of(name));
      await upstream.send(part.slice(half).map((event) => upstream.binaryJson(event)));
      await test.platform.launch(name);
    }
    // The api was killed and came back: what it accepts now must arrive as well.
    const [late] = sampleEvents('late', 1);
    const answer = await fetch(`${test.platform.apiUrl}/v1/events`, {
      method: 'POST',
      headers: { authorization: `Bearer ${test.platform.operatorKey}`, 'content-type': 'application/cloudevents+json' },
      body: JSON.stringify(structured(late!, test.tenantId)),
    });
    expect(answer.status).toBe(202);

    const verdict = await test.settledVerdict(90_000);
    expect(verdict.violations.slice(0, 5)).toEqual([]);
    const tasks = events.filter(({ type }) => type === 'task.completed').length;
    expect(verdict.expected).toBe(2_001 + tasks + 1 + (2_000 - tasks));
    console.log(
      `kill -9: ${verdict.expected} expected, ${verdict.delivered} delivered, ${verdict.deadLettered} dead letters, ${verdict.duplicates} duplicates`,
    );

    // Only the worker's death may repeat a POST: at most what was on its way (per lane, default 16 each of 3 endpoints).
    expect(verdict.duplicates).toBeLessThanOrEqual(verdict.expected);
    // The projector was killed too: its rows agree with the log.
    const stats = await statsWhen(test, verdict.expected);
    expect(stats.matched).toBe(verdict.expected);
    expect(stats.delivered).toBe(verdict.delivered);
    expect(stats.deadLettered).toBe(verdict.deadLettered);
  });
});

interface Stats {
  readonly matched: number;
  readonly delivered: number;
  readonly deadLettered: number;
  readonly pending: number;
}

async function statsWhen(test: PlatformUnderTest, expected: number): Promise<Stats> {
  const deadline = performance.now() + 30_000;
  for (;;) {
    const { body } = await test.platform.request<{ data: Stats[] }>(
      'GET',
      `/v1/stats/endpoints?tenantId=${test.tenantId}`,
    );
    const sum = (field: keyof Stats): number => body.data.reduce((total, row) => total + row[field], 0);
    const stats = {
      matched: sum('matched'),
      delivered: sum('delivered'),
      deadLettered: sum('deadLettered'),
      pending: sum('pending'),
    };
    if ((stats.matched === expected && stats.pending === 0) || performance.now() > deadline) return stats;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
