import type { RetryPolicyConfig } from '#libs/contracts';
import { formatSecret, sealSecret, type MasterKeys } from '#libs/core';
import type { Endpoint, EndpointChanges, EndpointRepository } from '#libs/persistence';
import type { z } from 'zod';
import { checkId, dateTime, listed } from '../http/list-query.js';
import type { Publication } from '../outbox/publish-outbox.js';
import { AppError, notFound } from '../problem/app-error.js';
import { checkBody } from '../problem/check-input.js';
import {
  retryBody,
  type CreateEndpointBody,
  type EndpointAnswer,
  type listEndpointsQuery,
  type PatchEndpointBody,
} from './endpoint.dto.js';

export interface EndpointDefaults {
  readonly maxInFlight: number;
  readonly timeoutMs: number;
  readonly retry: RetryPolicyConfig;
}

export interface EndpointPorts {
  readonly repository: EndpointRepository;
  readonly publication: Publication;
  readonly masterKeys: MasterKeys;
  readonly now: () => number;
  readonly newId: () => string;
  readonly randomBytes: (count: number) => Buffer;
}

/** A part of a retry policy is merged with the one that was read; if someone changed it meanwhile, it is read again. */
const patchTries = 20;
const secretBytes = 32;

export class Endpoints {
  constructor(
    private readonly ports: EndpointPorts,
    private readonly defaults: EndpointDefaults,
  ) {}

  async create(body: CreateEndpointBody): Promise<EndpointAnswer & { readonly secret: string }> {
    const { newId, randomBytes, masterKeys, repository, now } = this.ports;
    const retry = checkedRetry({ ...this.defaults.retry, ...defined(body.retry ?? {}) });
    const endpointId = `ep_${newId()}`;
    const secret = formatSecret(randomBytes(secretBytes));
    const ciphertext = sealSecret(masterKeys, secret, endpointId, randomBytes(12));
    const endpoint = await repository.create(
      {
        endpointId,
        tenantId: body.tenantId,
        url: body.url,
        eventTypes: body.eventTypes,
        description: body.description ?? '',
        ordering: body.ordering ?? 'none',
        maxInFlight: body.maxInFlight ?? this.defaults.maxInFlight,
        timeoutMs: body.timeoutMs ?? this.defaults.timeoutMs,
        retry,
        state: body.state ?? 'active',
        secrets: [{ secretId: `sec_${newId()}`, ciphertext, expiresAt: null }],
      },
      now(),
    );
    if (endpoint === null) {
      throw new AppError('unknown-tenant', `There is no tenant ${JSON.stringify(body.tenantId)}.`, {
        errors: [{ pointer: '/tenantId', code: 'unknown-tenant', detail: 'There is no such tenant.' }],
      });
    }
    await this.ports.publication.published();
    return { ...answerOf(endpoint), secret };
  }

  async list(
    query: z.output<typeof listEndpointsQuery>,
  ): Promise<{ data: EndpointAnswer[]; nextCursor: string | null }> {
    const { data, nextCursor } = await listed(() => this.ports.repository.list(query));
    return { data: data.map(answerOf), nextCursor };
  }

  async get(id: string): Promise<EndpointAnswer> {
    const endpoint = await this.ports.repository.get(checkId('endpoint', id));
    if (endpoint === null) throw notFound('endpoint', id);
    return answerOf(endpoint);
  }

  /** JSON merge patch (RFC 7396): the retry policy is merged member by member with the one that is there. */
  async patch(id: string, body: PatchEndpointBody): Promise<EndpointAnswer> {
    const { repository, now } = this.ports;
    for (let tries = 1; ; tries += 1) {
      const before = await repository.get(checkId('endpoint', id));
      if (before === null) throw notFound('endpoint', id);
      const changes = this.#changes(before, body);
      const expectedRevision = changes.retry === undefined ? undefined : before.revision;
      const result = await repository.update(id, changes, { now: now(), expectedRevision });
      if (result.outcome === 'updated') {
        await this.ports.publication.published();
        return answerOf(result.endpoint);
      }
      if (result.outcome === 'not-found') throw notFound('endpoint', id);
      if (tries === patchTries)
        throw new AppError('conflict', 'It is being changed by others all the time. Try again.');
    }
  }

  async delete(id: string): Promise<void> {
    const deleted = await this.ports.repository.delete(checkId('endpoint', id), this.ports.now());
    if (!deleted) throw notFound('endpoint', id);
    await this.ports.publication.published();
  }

  #changes(before: Endpoint, body: PatchEndpointBody): EndpointChanges {
    const orDefault = <T>(value: T | null | undefined, fallback: T): T | undefined =>
      value === null ? fallback : value;
    return {
      url: body.url,
      eventTypes: body.eventTypes,
      description: orDefault(body.description, ''),
      ordering: orDefault(body.ordering, 'none'),
      maxInFlight: orDefault(body.maxInFlight, this.defaults.maxInFlight),
      timeoutMs: orDefault(body.timeoutMs, this.defaults.timeoutMs),
      state: orDefault(body.state, 'active'),
      retry: this.#retry(before.retry, body.retry),
    };
  }

  #retry(before: RetryPolicyConfig, patch: PatchEndpointBody['retry']): RetryPolicyConfig | undefined {
    const { retry } = this.defaults;
    if (patch === undefined) return undefined;
    if (patch === null) return retry;
    return checkedRetry({
      delaysMs: patch.delaysMs === null ? retry.delaysMs : (patch.delaysMs ?? before.delaysMs),
      jitter: patch.jitter === null ? retry.jitter : (patch.jitter ?? before.jitter),
      maxDelayMs: patch.maxDelayMs === null ? retry.maxDelayMs : (patch.maxDelayMs ?? before.maxDelayMs),
    });
  }
}

/** The merged policy is checked as a whole; faults point to where it stands in the body. */
const checkedRetry = (retry: RetryPolicyConfig): RetryPolicyConfig =>
  checkBody(retryBody, { retry: { ...retry, delaysMs: [...retry.delaysMs] } }).retry;

const defined = <T extends object>(given: T): { [K in keyof T]?: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };

/** Without secrets, sealed or not: an endpoint as everybody with the key may see it. */
const answerOf = (endpoint: Endpoint): EndpointAnswer => ({
  id: endpoint.endpointId,
  tenantId: endpoint.tenantId,
  url: endpoint.url,
  description: endpoint.description === '' ? null : endpoint.description,
  eventTypes: [...endpoint.eventTypes],
  state: endpoint.state,
  disabledReason: endpoint.disabledReason,
  ordering: endpoint.ordering,
  maxInFlight: endpoint.maxInFlight,
  timeoutMs: endpoint.timeoutMs,
  retry: {
    delaysMs: [...endpoint.retry.delaysMs],
    jitter: endpoint.retry.jitter,
    maxDelayMs: endpoint.retry.maxDelayMs,
  },
  revision: endpoint.revision,
  createdAt: dateTime(endpoint.createdAt),
  updatedAt: dateTime(endpoint.updatedAt),
});
