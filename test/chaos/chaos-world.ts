import type { AppName } from '#libs/app-processes';
import type { EndpointUnderTest } from '../e2e/platform-under-test.js';
import { PlatformUnderTest } from '../e2e/platform-under-test.js';
import type { CloudEvent, UpstreamService } from '../e2e/sample-events.js';
import { wasAccepted } from '../oracle/arrival.js';
import type { Rate } from '../oracle/rate-oracle.js';

/** Shortest that the broker allows: what is silent for longer loses its partitions. */
export const sessionMs = 6_000;
export const maxInFlight = 8;

const second = 1_000;
const hour = 3_600_000;
/** Everything is tried for as long as a test may last. */
const untilItWorks = { delaysMs: Array.from({ length: 60 }, () => second), jitter: 0.1 };

export const perSecond = { limit: 10, periodMs: second, burst: 10 } satisfies Rate;
export const perMinute = { limit: 5, periodMs: 60 * second, burst: 5 } satisfies Rate;

/** The real apps as processes, and one endpoint of each kind that matters, with a receiver that records. */
export class ChaosWorld {
  /** While it hangs, the hanging endpoint does not answer at all. */
  hangs = true;

  private constructor(
    readonly test: PlatformUnderTest,
    readonly upstream: UpstreamService,
  ) {}

  /** @param apps one process each, beside the api */
  static async start(apps: readonly AppName[]): Promise<ChaosWorld> {
    const test = await PlatformUnderTest.start({
      apps: ['api', ...apps],
      // A small lane, so that what is limited or hangs spills over the retry topics.
      settings: { POSTHORN_SESSION_TIMEOUT_MS: String(sessionMs), POSTHORN_LANE_RECORDS: '300' },
    });
    try {
      return new ChaosWorld(test, await test.upstream());
    } catch (error) {
      await test.stop();
      throw error;
    }
  }

  /**
   * In order, with a rare failure: its key waits for the retry, the others go on. Never 503: an endpoint that says that it
   * is overloaded would get fewer at once.
   */
  async addOrdered(): Promise<{ keyed: EndpointUnderTest; strict: EndpointUnderTest }> {
    const failing = (every: number) => (_: unknown, index: number) => ({ status: index % every === 3 ? 500 : 204 });
    return {
      keyed: await this.#add(['comment.added'], failing(25), { ordering: 'key' }),
      strict: await this.#add(['task.completed'], failing(400), { ordering: 'endpoint' }),
    };
  }

  /** Strictly in order, answered at once. `since` in `body`: it begins in the past; `getsHistory`: a replay sends it that. */
  addStrict(
    eventTypes: readonly string[],
    body: Readonly<Record<string, unknown>> = {},
    getsHistory?: boolean,
  ): Promise<EndpointUnderTest> {
    return this.#add(eventTypes, () => ({}), { ordering: 'endpoint', ...body }, getsHistory);
  }

  /** All events, answered at once. */
  addUnordered(): Promise<EndpointUnderTest> {
    return this.#add(['*'], () => ({}));
  }

  /** Refuses, cuts the connection, or is slow, for 3 of 10. */
  addFlaky(): Promise<EndpointUnderTest> {
    return this.#add(['task.*'], (_, index) => {
      const kind = index % 10;
      if (kind === 2) return { kind: 'cut' };
      return kind === 5 ? { status: 502 } : { status: kind === 8 ? 500 : 204, delayMs: kind * 10 };
    });
  }

  /** Silent until `hangs` is over. Its circuit opens, and looks again every second or two. */
  addHanging(): Promise<EndpointUnderTest> {
    return this.#add(['task.updated'], () => (this.hangs ? { kind: 'never' } : {}), {
      timeoutMs: 500,
      circuit: { consecutiveFailures: 10, openMs: second, maxOpenMs: 2 * second },
    });
  }

  addLimited({ limit, periodMs, burst }: Rate, eventTypes: readonly string[]): Promise<EndpointUnderTest> {
    const per = periodMs === second ? 'second' : 'minute';
    return this.#add(eventTypes, () => ({}), { rateLimit: { limit, per, burst } });
  }

  /** Fails each event once; the retry is due `delayMs` later. */
  addFailingOnce(delayMs: number): Promise<EndpointUnderTest> {
    return this.#add(['project.created'], (_request, _index, earlier) => ({ status: earlier === 0 ? 500 : 204 }), {
      retry: { delaysMs: [delayMs], jitter: 0, maxDelayMs: hour },
      // However many fail one after the other: nothing but its delay holds a retry.
      circuit: { consecutiveFailures: 1_000_000, minRequests: 1_000_000 },
    });
  }

  /** Waits until every app knows the endpoints: what is sent before would not be dispatched to them. */
  async settle(): Promise<void> {
    // The api has published them when it answers; dispatchers follow that topic with a long poll of half a second.
    await new Promise((resolve) => setTimeout(resolve, 2 * second));
  }

  async send(events: readonly CloudEvent[]): Promise<void> {
    await this.upstream.send(events.map((event) => this.upstream.binaryJson(event)));
  }

  /** Waits until each endpoint has accepted all that it wants of `sent`; returns after `timeoutMs` in any case. */
  async untilAccepted(sent: readonly CloudEvent[], timeoutMs: number): Promise<void> {
    const wanted = this.test.endpoints.map((endpoint) => {
      const { length } = sent.filter((event) => endpoint.wants({ ...event, tenantId: endpoint.tenantId }));
      return [endpoint, length] as const;
    });
    const deadline = performance.now() + timeoutMs;
    while (performance.now() < deadline) {
      if (wanted.every(([endpoint, count]) => acceptedBy(endpoint) >= count)) return;
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }

  async stop(): Promise<void> {
    await this.upstream.close();
    await this.test.stop();
  }

  #add(
    eventTypes: readonly string[],
    answer: Parameters<PlatformUnderTest['addEndpoint']>[1],
    body: Readonly<Record<string, unknown>> = {},
    getsHistory?: boolean,
  ): Promise<EndpointUnderTest> {
    return this.test.addEndpoint(eventTypes, answer, { maxInFlight, retry: untilItWorks, ...body }, getsHistory);
  }
}

/** Different deliveries that were answered with 2xx. */
function acceptedBy({ receiver, statuses }: EndpointUnderTest): number {
  const ids = new Set<string>();
  for (const [n, { headers }] of receiver.requests.entries())
    if (wasAccepted({ status: statuses[n] ?? 0 })) ids.add(headers['webhook-id']?.toString() ?? '');
  return ids.size;
}
