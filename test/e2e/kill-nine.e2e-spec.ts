import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { appNames, type AppName } from '#libs/app-processes';
import { judgeRepeats, laneBound, type Disruption } from '../oracle/repeats-oracle.js';
import { PlatformUnderTest } from './platform-under-test.js';
import { sampleEvents, structured, type UpstreamService, type CloudEvent } from './sample-events.js';

/** The default of an endpoint. */
const maxInFlight = 16;

/**
 * Invariants 1 and 3 under kill -9. Real: all. Asserted from the log and the receivers' records: what a worker had in flight
 * when it died is sent again, nothing else is.
 */
describe('kill -9 in the middle of 2,000 events', () => {
  let test: PlatformUnderTest;
  let upstream: UpstreamService;
  const disruptions: Disruption[] = [];

  async function kill(name: AppName): Promise<void> {
    disruptions.push({ app: name, fault: 'kill', at: Date.now() });
    await test.platform.kill(test.platform.of(name));
  }
  async function launch(name: AppName): Promise<void> {
    disruptions.push({ app: name, fault: 'join', at: Date.now() });
    await test.platform.launch(name);
  }

  beforeAll(async () => {
    test = await PlatformUnderTest.start({ settings: { POSTHORN_SESSION_TIMEOUT_MS: '6000' } });
    upstream = await test.upstream();
  });
  afterAll(async () => {
    await upstream?.close();
    await test?.stop();
  });

  /** Over REST, the api killed in the middle; what got no answer is sent again, as a client would. */
  async function ingestThroughAKill(events: readonly CloudEvent[]): Promise<void> {
    const waiting = [...events];
    let accepted = 0;
    let unanswered = 0;
    let killed: Promise<unknown> | undefined;
    const client = async (): Promise<void> => {
      for (let event = waiting.shift(); event !== undefined; event = waiting.shift()) {
        const status = await ingest(event);
        if (status === 202) {
          accepted += 1;
        } else {
          unanswered += 1;
          waiting.push(event);
          await killed;
        }
        if (accepted === events.length / 2) {
          killed ??= kill('api').then(() => launch('api'));
        }
      }
    };
    await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map(client));
    expect(accepted).toBe(events.length);
    // It was killed in the middle of requests, not between them.
    expect(unanswered).toBeGreaterThan(0);
  }

  async function ingest(event: CloudEvent): Promise<number> {
    try {
      const answer = await fetch(`${test.platform.apiUrl}/v1/events`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${test.platform.operatorKey}`,
          'content-type': 'application/cloudevents+json',
        },
        body: JSON.stringify(structured(event, test.tenantId)),
        signal: AbortSignal.timeout(10_000),
      });
      await answer.text();
      return answer.status;
    } catch {
      // No answer: whether it was accepted is unknown.
      return 0;
    }
  }

  it('invariants 1 and 3: every event reaches its end state, whichever app is killed, and only what was in flight comes again', async () => {
    await test.addEndpoint(['*']);
    await test.addEndpoint(['task.*'], (_, index) => ({ status: index % 10 < 3 ? 503 : 204 }), {
      retry: { delaysMs: [1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000], jitter: 0.1 },
    });
    await test.addEndpoint(['comment.added'], () => ({ status: 500 }), {
      retry: { delaysMs: [1000], jitter: 0 },
      // It is to be given up, not left alone until it is better.
      circuit: { consecutiveFailures: 1_000_000, minRequests: 1_000_000 },
    });
    await new Promise((resolve) => setTimeout(resolve, 2_000));

    const events = sampleEvents('kill', 2_000);
    const perApp = events.length / appNames.length;
    for (const [index, name] of appNames.entries()) {
      const part = events.slice(index * perApp, (index + 1) * perApp);
      if (name === 'api') {
        await ingestThroughAKill(part);
        continue;
      }
      const half = part.length / 2;
      await upstream.send(part.slice(0, half).map((event) => upstream.binaryJson(event)));
      await kill(name);
      await upstream.send(part.slice(half).map((event) => upstream.binaryJson(event)));
      await launch(name);
    }

    const verdict = await test.settledVerdict(90_000);
    expect(verdict.violations.slice(0, 5)).toEqual([]);
    const tasks = events.filter(({ type }) => type === 'task.completed').length;
    expect(verdict.expected).toBe(2_000 + tasks + (2_000 - tasks));

    const { attempts } = await test.readLog();
    const repeats = judgeRepeats({
      arrivals: test.arrivals(),
      successes: attempts.filter(({ outcome }) => outcome === 'delivered'),
      disruptions,
      inFlightBound: new Map(test.endpoints.map(({ endpointId }) => [endpointId, laneBound(maxInFlight)])),
    });
    console.log(
      `kill -9: ${verdict.expected} expected, ${verdict.delivered} delivered, ${verdict.deadLettered} dead letters, ` +
        `${repeats.repeats} came again (at most ${repeats.allowed})`,
    );
    expect(repeats.violations.slice(0, 5)).toEqual([]);
    expect(repeats.causes).toBe(1);

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
