import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject } from 'vitest';
import { AppProcesses, type AppName, type PlatformServices } from '#libs/app-processes';
import {
  createTestDatabase,
  isVerification,
  RecordingReceiver,
  uniquePrefix,
  type AnswerProgram,
  type TestDatabase,
} from '#libs/testing';
import { parseSecret, verifyWebhook } from '#libs/core';
import type { Arrival } from '../oracle/arrival.js';
import { judge, type SubscribedEndpoint, type Verdict } from '../oracle/delivery-oracle.js';
import type { PlacedEvent } from '../oracle/order-oracle.js';
import type { Search } from '../oracle/secrecy-oracle.js';
import { readEvents, readEvidence, type Logged, type LogEvidence } from './read-evidence.js';
import { UpstreamService } from './sample-events.js';
import { leftBehind, refuseSightings, usePlatformSecrets } from './secrecy/left-behind.js';
import { noteSecrets } from './secrecy/secrets-in-use.js';

/** An endpoint that the test registered, with its receiver. */
export interface EndpointUnderTest extends SubscribedEndpoint {
  readonly secret: string;
  readonly receiver: RecordingReceiver;
  /** What the receiver answered, by request index. */
  readonly statuses: readonly number[];
}

/** The real apps as processes, a tenant, and receivers that record: what every end-to-end test stands on. */
export class PlatformUnderTest {
  readonly endpoints: EndpointUnderTest[] = [];
  #found: Promise<Search> | undefined;

  private constructor(
    readonly platform: AppProcesses,
    readonly prefix: string,
    readonly services: PlatformServices,
    readonly tenantId: string,
    private readonly database: TestDatabase,
    /** Holds the processes' logs. */
    readonly folder: string,
  ) {}

  static async start(
    options: { settings?: Readonly<Record<string, string>>; kafkaBrokers?: string; apps?: readonly AppName[] } = {},
  ): Promise<PlatformUnderTest> {
    const database = await createTestDatabase();
    const folder = mkdtempSync(join(tmpdir(), 'posthorn-e2e-'));
    const prefix = uniquePrefix().replace(/\.$/, '');
    const services: PlatformServices = {
      kafkaBrokers: options.kafkaBrokers ?? inject('kafkaBrokers'),
      schemaRegistryUrl: inject('schemaRegistryUrl'),
      databaseUrl: database.url,
    };
    const platform = await AppProcesses.start(
      { services, topicPrefix: prefix, logDir: folder, settings: options.settings ?? {}, onExchange: noteBoth },
      options.apps,
    );
    usePlatformSecrets(platform);
    const tenantId = `tenant-${prefix}`;
    const created = await platform.request('POST', '/v1/tenants', { id: tenantId, name: 'Under test' });
    if (created.status !== 201) throw new Error(`no tenant: ${created.status} ${JSON.stringify(created.body)}`);
    return new PlatformUnderTest(platform, prefix, services, tenantId, database, folder);
  }

  /**
   * Registers an endpoint with a receiver of its own. Retries are short unless `body` says otherwise.
   * @param getsHistory whether it is to get what stands in the log already
   */
  async addEndpoint(
    eventTypes: readonly string[],
    answer: AnswerProgram = () => ({}),
    body: Readonly<Record<string, unknown>> = {},
    getsHistory = body['since'] === 'beginning',
  ): Promise<EndpointUnderTest> {
    const statuses: number[] = [];
    const receiver = await RecordingReceiver.start((request, index, earlier) => {
      const given = answer(request, index, earlier);
      statuses[index] = given.kind === 'never' || given.kind === 'cut' ? 0 : (given.status ?? 204);
      return given;
    });
    // What stands in the log by now was dispatched without it.
    const log = getsHistory ? [] : await this.readEvents();
    const earlier = new Set(log.map(({ id }) => id));
    const created = await this.platform.request<{ id: string; secret: string }>('POST', '/v1/endpoints', {
      tenantId: this.tenantId,
      url: `${receiver.url}/hook`,
      eventTypes,
      retry: { delaysMs: [1000, 1000, 2000], jitter: 0.1 },
      ...body,
    });
    if (created.status !== 201) throw new Error(`no endpoint: ${created.status} ${JSON.stringify(created.body)}`);
    const endpoint: EndpointUnderTest = {
      endpointId: created.body.id,
      tenantId: this.tenantId,
      wants: ({ type, id }) => !earlier.has(id) && eventTypes.some((pattern) => covers(pattern, type)),
      secret: created.body.secret,
      receiver,
      statuses,
    };
    this.endpoints.push(endpoint);
    return endpoint;
  }

  /** A service that appends to this platform's events topic with stock packages; close it. */
  upstream(): Promise<UpstreamService> {
    return UpstreamService.connect({
      brokers: this.services.kafkaBrokers,
      registryUrl: this.services.schemaRegistryUrl,
      topic: `${this.prefix}.events`,
      tenantId: this.tenantId,
    });
  }

  arrivals(): readonly Arrival[] {
    return this.endpoints.flatMap((endpoint) => {
      const keys = [parseSecret(endpoint.secret)];
      return endpoint.receiver.requests.flatMap((request, index): Arrival[] => {
        // It asks whether its receiver wants anything, and delivers nothing.
        if (isVerification(request.body)) return [];
        const header = (name: string): string | undefined => request.headers[name]?.toString();
        const signed = {
          id: header('webhook-id'),
          timestamp: header('webhook-timestamp'),
          signature: header('webhook-signature'),
          body: request.body,
        };
        const arrival = {
          endpointId: endpoint.endpointId,
          webhookId: signed.id ?? '',
          validSignature: verifyWebhook(keys, signed, request.at / 1000).ok,
          status: endpoint.statuses[index] ?? 0,
          at: request.at,
          ...eventOf(request.body),
        };
        return [arrival];
      });
    });
  }

  /** Of one endpoint. */
  arrivalsOf({ endpointId }: Pick<EndpointUnderTest, 'endpointId'>): readonly Arrival[] {
    return this.arrivals().filter((one) => one.endpointId === endpointId);
  }

  /** The events that stand in the log now. */
  readEvents(): Promise<readonly Logged<PlacedEvent>[]> {
    return readEvents(this.services.kafkaBrokers, `${this.prefix}.events`);
  }

  /** What stands in the log now: events, attempts, dead letters. */
  readLog(): Promise<LogEvidence> {
    return readEvidence({
      brokers: this.services.kafkaBrokers,
      registryUrl: this.services.schemaRegistryUrl,
      prefix: this.prefix,
    });
  }

  /** Reads the log and judges (oracle). */
  async verdict(): Promise<Verdict> {
    return judge({ ...(await this.readLog()), endpoints: this.endpoints, receipts: this.arrivals() });
  }

  /** Judges again and again until nothing is wrong; returns the last verdict when the time is over. */
  async settledVerdict(timeoutMs: number): Promise<Verdict> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const verdict = await this.verdict();
      if (verdict.violations.length === 0 || performance.now() > deadline) return verdict;
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    }
  }

  /** Invariant 8: where secrets can be read now. Once: `stop` takes what was found then. */
  secretsLeftBehind(): Promise<Search> {
    return (this.#found ??= leftBehind(this.platform));
  }

  /** @throws Error when a secret that was used can be read in what the platform leaves behind */
  async stop(): Promise<void> {
    try {
      refuseSightings(await this.secretsLeftBehind());
    } finally {
      await this.platform.stop();
      await Promise.all(this.endpoints.map(({ receiver }) => receiver.close()));
      await this.database.drop();
      rmSync(this.folder, { recursive: true, force: true });
    }
  }
}

function noteBoth(sent: unknown, answered: unknown): void {
  noteSecrets(sent);
  noteSecrets(answered);
}

/** The CloudEvent that a body holds; of another body, nothing. */
function eventOf(body: Buffer): { eventId: string; eventSource: string } {
  try {
    const { id, source } = JSON.parse(body.toString()) as { id?: string; source?: string };
    return { eventId: id ?? '', eventSource: source ?? '' };
  } catch {
    return { eventId: '', eventSource: '' };
  }
}

const covers = (pattern: string, type: string): boolean =>
  pattern === '*' || pattern === type || (pattern.endsWith('.*') && type.startsWith(pattern.slice(0, -1)));
