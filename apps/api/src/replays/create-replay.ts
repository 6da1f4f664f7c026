import { contentOf, parseAttributeFilter, ReplaySelection, type AttributeFilter } from '#libs/core';
import { filterOf as compiledFilters } from '#libs/filters';
import type { Endpoint, EndpointRepository, ReplayParts, TenantRepository } from '#libs/persistence';
import { AppError, type Fault } from '../problem/app-error.js';
import type { DeadLetterReplays } from './dead-letter-replays.js';
import type { DryRuns } from './dry-run.js';
import { dryRunAnswer, type DryRunAnswer } from './dry-run-answer.js';
import type { ReplayAnswer } from './replay-answer.js';
import type { ReplayWindows } from './replay-window.js';
import type { CreateReplayBody } from './replay.dto.js';
import { rateOf, unknownTenant, type ReplayDesk } from './replays.js';

export interface CreateReplayPorts {
  readonly desk: ReplayDesk;
  readonly tenants: Pick<TenantRepository, 'get'>;
  readonly endpoints: Pick<EndpointRepository, 'get' | 'list'>;
  readonly parts: Pick<ReplayParts, 'pastSubscriptions'>;
  readonly windows: ReplayWindows;
  readonly dryRuns: DryRuns;
  readonly deadLetters: DeadLetterReplays;
}

const endpointsAtOnce = 200;

/** Begins a replay of a tenant's history, or says what it would send. */
export class ReplayCreation {
  constructor(private readonly ports: CreateReplayPorts) {}

  async create(body: CreateReplayBody): Promise<ReplayAnswer> {
    const endpoints = await this.#endpoints(body);
    if (body.source === 'dead-letters') return this.ports.deadLetters.begin(deadLettersOf(body, endpoints), body);
    const { tenantId, eventTypes = null, filter = null, asConfigured = 'now' } = body;
    const { asked: window, partitions, gaps } = await this.#window(body);
    const endpointIds = endpoints.map(({ endpointId }) => endpointId);
    return this.ports.desk.begin(
      {
        tenantId,
        source: 'events',
        endpointIds,
        eventTypes,
        filter,
        selection: null,
        asConfigured,
        window,
        gaps,
        partitions: partitions.map((one) => ({ ...one, ownedBy: one.partition })),
      },
      body,
    );
  }

  /** Changes nothing and sends nothing. */
  async dryRun(body: CreateReplayBody): Promise<DryRunAnswer> {
    const limit = rateOf(body);
    const endpoints = await this.#endpoints(body);
    if (body.source === 'dead-letters') {
      return this.ports.deadLetters.dryRun(deadLettersOf(body, endpoints), endpoints, limit);
    }
    const found = await this.#window(body);
    const selection = await this.#selection(body, endpoints);
    const contents = new Map(endpoints.map((one) => [one.endpointId, contentOf(one, compiledFilters)]));
    const counts = await this.ports.dryRuns.count(found.partitions, selection, body.tenantId, contents);
    return dryRunAnswer({
      tenantId: body.tenantId,
      source: 'events',
      endpoints,
      rateLimit: limit,
      window: found.asked,
      partitions: found.partitions,
      gaps: found.gaps,
      counts,
    });
  }

  #window({ partitions, from, to }: CreateReplayBody): ReturnType<ReplayWindows['find']> {
    return this.ports.windows.find(partitions === undefined ? { from: from ?? null, to: to ?? null } : { partitions });
  }

  async #selection(body: CreateReplayBody, endpoints: readonly Endpoint[]): Promise<ReplaySelection> {
    const { tenantId, eventTypes = null, filter } = body;
    const ids = endpoints.map(({ endpointId }) => endpointId);
    const subscriptions =
      body.asConfigured === 'then'
        ? ({ asOf: 'then', past: await this.ports.parts.pastSubscriptions(ids) } as const)
        : ({ asOf: 'now', endpoints } as const);
    return new ReplaySelection({ tenantId, eventTypes, filter: filterOf(filter), subscriptions });
  }

  /** Those that are named, or all active ones of the tenant: a replay would wait for the others. */
  async #endpoints({ tenantId, endpointIds }: CreateReplayBody): Promise<readonly Endpoint[]> {
    if ((await this.ports.tenants.get(tenantId)) === null) throw unknownTenant(tenantId);
    const endpoints = endpointIds === undefined ? await this.#all(tenantId) : await this.#named(tenantId, endpointIds);
    if (endpoints.length === 0) throw new AppError('nothing-to-replay', 'The tenant has no active endpoint.');
    return endpoints;
  }

  async #named(tenantId: string, endpointIds: readonly string[]): Promise<readonly Endpoint[]> {
    const found = await Promise.all([...new Set(endpointIds)].map((id) => this.ports.endpoints.get(id)));
    const endpoints = found.filter((one) => one !== null && one.tenantId === tenantId) as Endpoint[];
    const known = new Set(endpoints.map(({ endpointId }) => endpointId));
    const errors = endpointIds.flatMap((id, i): Fault[] => {
      if (known.has(id)) return [];
      return [{ pointer: `/endpointIds/${i}`, code: 'unknown-endpoint', detail: 'The tenant has no such endpoint.' }];
    });
    if (errors.length > 0) throw new AppError('invalid-body', 'The tenant does not have all of these.', { errors });
    return endpoints;
  }

  async #all(tenantId: string): Promise<readonly Endpoint[]> {
    const endpoints: Endpoint[] = [];
    for (let cursor: string | undefined; ;) {
      const page = await this.ports.endpoints.list({ tenantId, limit: endpointsAtOnce, cursor });
      endpoints.push(...page.data.filter(({ state }) => state === 'active'));
      if (page.nextCursor === null) return endpoints;
      cursor = page.nextCursor;
    }
  }
}

/** Of a replay, times are those at which a dead letter was given up. */
function deadLettersOf(body: CreateReplayBody, endpoints: readonly Endpoint[]) {
  const { tenantId, eventTypes, from, to } = body;
  return { tenantId, endpointIds: endpoints.map(({ endpointId }) => endpointId), eventTypes, from, to };
}

/** Null: none. It was checked with the body. */
function filterOf(filter: unknown): AttributeFilter | null {
  if (filter === undefined || filter === null) return null;
  const parsed = parseAttributeFilter(filter);
  if (!parsed.ok) throw new Error('a filter that was checked before has a fault');
  return parsed.matches;
}
