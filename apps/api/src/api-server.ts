import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance } from 'fastify';
import { v7 } from 'uuid';
import type { Config } from '#libs/config';
import type { Logger } from '#libs/observability';
import { CONFIG, LOGGER } from '#libs/platform';
import { IdempotencyKeys } from '#libs/persistence';
import { callerOf } from './access/caller.js';
import { Callers } from './access/callers.js';
import { installConventions, isOurs } from './http/conventions.js';
import { installRateLimits, type Quota } from './http/rate-limits.js';
import { installMissingRoutes } from './http/missing-routes.js';
import { installRequestIds } from './http/request-ids.js';
import { RequestsInFlight } from './http/requests-in-flight.js';
import { installSecurityHeaders } from './http/security-headers.js';
import { installIdempotency } from './idempotency/idempotency-hook.js';
import { installEventsRoute } from './ingest/events-route.js';
import { Ingest } from './ingest/ingest.js';
import { installCallbackBodies } from './verification/callback-bodies.js';

const maxBatchEvents = 1_000;
const maxBatchBytes = 5 * 1024 * 1024;

/** What the API sets up on Fastify itself. */
@Injectable()
export class ApiServer implements OnModuleInit {
  constructor(
    @Inject(HttpAdapterHost) private readonly host: HttpAdapterHost,
    @Inject(RequestsInFlight) private readonly requests: RequestsInFlight,
    @Inject(Ingest) private readonly ingest: Ingest,
    @Inject(Callers) private readonly callers: Callers,
    @Inject(IdempotencyKeys) private readonly idempotency: IdempotencyKeys,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  onModuleInit(): void {
    const server = this.host.httpAdapter.getInstance<FastifyInstance>();
    installRequestIds(server, () => v7().replaceAll('-', ''));
    installSecurityHeaders(server);
    installConventions(server, { callers: this.callers, requests: this.requests });
    installCallbackBodies(server);
    this.#installRateLimits(server);
    installMissingRoutes(server);
    installIdempotency(server, { keys: this.idempotency, now: Date.now, log: this.logger });
    const { maxEventBytes } = this.config;
    installEventsRoute(server, this.ingest, { maxEventBytes, maxBatchEvents, maxBatchBytes }, this.logger);
  }

  /** Behind the key: who has none is not counted. */
  #installRateLimits(server: FastifyInstance): void {
    const { apiRateLimit, ingestRateLimit } = this.config;
    const management: Quota = { name: 'management', limit: apiRateLimit };
    const ingest: Quota = { name: 'ingest', limit: ingestRateLimit };
    installRateLimits(server, {
      quotaOf(request) {
        if (!isOurs(request)) return null;
        return request.routeOptions.url === '/v1/events' ? ingest : management;
      },
      keyOf(request) {
        const { kind, id } = callerOf(request).actor;
        return `${kind}:${id}`;
      },
      now: Date.now,
    });
  }
}
