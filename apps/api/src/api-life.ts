import { Inject, Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { Readiness, type Logger } from '#libs/observability';
import { LOGGER } from '#libs/platform';
import { ApiLog } from './api-log.js';
import { RequestsInFlight } from './http/requests-in-flight.js';
import { TenantDirectory } from './ingest/tenant-directory.js';
import { OutboxPublisher } from './outbox/publish-outbox.js';

/** Time for requests under way when the process is told to stop. */
const drainMs = 10_000;
const restartMs = 1_000;

/** Starts what runs beside the requests, and ends it in order: requests, outbox, connections. */
@Injectable()
export class ApiLife implements OnApplicationBootstrap, BeforeApplicationShutdown {
  #stopping = false;

  constructor(
    @Inject(ApiLog) private readonly log: ApiLog,
    @Inject(OutboxPublisher) private readonly publisher: OutboxPublisher,
    @Inject(TenantDirectory) private readonly tenants: TenantDirectory,
    @Inject(RequestsInFlight) private readonly requests: RequestsInFlight,
    @Inject(Readiness) private readonly readiness: Readiness,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    this.readiness.add({ name: 'outbox', check: () => this.publisher.check() });
    this.readiness.add({ name: 'tenants', check: () => this.tenants.check() });
    this.publisher.start();
    void this.#follow();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.#stopping = true;
    const left = await this.requests.drain(drainMs);
    if (left > 0) this.logger.warn({ left }, 'requests were still under way when the time to stop was up');
    await this.publisher.stop();
    await this.log.close();
  }

  /** Brokers that are away at the start are waited for; /readyz says so meanwhile. */
  async #follow(): Promise<void> {
    while (!this.#stopping) {
      try {
        await this.tenants.start();
        return;
      } catch (error) {
        this.logger.warn({ err: error }, 'the tenants cannot be read yet; trying again');
      }
      await new Promise((resolve) => setTimeout(resolve, restartMs).unref());
    }
  }
}
