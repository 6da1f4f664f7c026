import { plainContent, type RetryPolicyConfig } from '#libs/contracts';
import {
  isMethodAllowed,
  standardMethod,
  type EndpointVerification,
  type VerificationMethod,
  type VerificationRule,
} from '#libs/core';
import type { Filters } from '#libs/filters';
import type { Endpoint, EndpointChanges, EndpointFaultLog, EndpointRepository, NewBackfill } from '#libs/persistence';
import { z } from 'zod';
import { checkMatch, preconditionFailed, type Precondition } from '../http/entity-tags.js';
import { checkId, dateTime, listed } from '../http/list-query.js';
import type { Publication } from '../outbox/publish-outbox.js';
import { AppError, notFound } from '../problem/app-error.js';
import { checkBody } from '../problem/check-input.js';
import { mergeContent } from './content-merge.js';
import { makeCredentials, refuseMoved, refuseTwice, shownOf } from './credential-making.js';
import type {
  CreatedAnswer,
  CreateEndpointBody,
  EndpointAnswer,
  FaultAnswer,
  listEndpointsQuery,
  PatchEndpointBody,
} from './endpoint.dto.js';
import { circuit, mergeCircuit, mergeRateLimit, rateLimit } from './flow.dto.js';
import { refuseTransformation } from './refuse-transformation.js';
import { mergeRetry, type RetryPatch } from './retry-merge.js';
import { previewAnswer, retryPolicy, type RetryPreviewAnswer } from './retry.dto.js';
import { makeSecret, type SecretMaking } from './secret-making.js';
import type { SourceLog } from './source-log.js';
import { stateAnswer } from '../verification/verification-answer.js';
import { chosenMethod } from '../verification/verification.dto.js';
import { shownPins } from './versions-merge.js';
import type { VersionPins } from './versions-pins.js';

export interface EndpointDefaults {
  readonly maxInFlight: number;
  readonly timeoutMs: number;
  readonly retry: RetryPolicyConfig;
}

export interface EndpointPorts extends SecretMaking {
  readonly repository: EndpointRepository;
  readonly faults: Pick<EndpointFaultLog, 'of'>;
  readonly publication: Publication;
  readonly source: Pick<SourceLog, 'historyFrom'>;
  readonly pins: Pick<VersionPins, 'ofNew' | 'ofPatched'>;
  readonly verification: {
    /** What the operator asks of new URLs. */
    readonly rule: VerificationRule;
    /** An endpoint is to be verified. */
    begun(): void;
  };
}

/** A patch is merged with the endpoint that was read; if someone changed that meanwhile, it is read again. */
const patchTries = 20;

export class Endpoints {
  constructor(
    private readonly ports: EndpointPorts,
    private readonly defaults: EndpointDefaults,
  ) {}

  async create(body: CreateEndpointBody): Promise<CreatedAnswer> {
    const { newId, repository, now } = this.ports;
    const flow = checkBody(wholeFlow, {
      retry: mergeRetry(this.defaults.retry, body.retry ?? {}, this.defaults.retry),
      rateLimit: mergeRateLimit(null, body.rateLimit ?? null),
      circuit: mergeCircuit(null, body.circuit ?? null),
    });
    const endpointId = `ep_${newId()}`;
    const content = mergeContent(plainContent, body);
    const credentials = makeCredentials(this.ports, endpointId, body);
    refuseTwice(content.headers, credentials.authentication ?? null, '/authentication');
    const pins = await this.ports.pins.ofNew(body);
    const history = body.since === undefined ? null : await this.#history(body.since);
    const secret = makeSecret(this.ports, endpointId, wanted(body.secret));
    const endpoint = await repository
      .create(
        {
          endpointId,
          tenantId: body.tenantId,
          url: body.url,
          eventTypes: body.eventTypes,
          description: body.description ?? '',
          ordering: body.ordering ?? 'none',
          onExhausted: body.onExhausted ?? 'skip',
          maxInFlight: body.maxInFlight ?? this.defaults.maxInFlight,
          adaptiveConcurrency: body.adaptiveConcurrency ?? true,
          timeoutMs: body.timeoutMs ?? this.defaults.timeoutMs,
          ...flow,
          ...plainContent,
          ...content,
          filters: filtersText(body.filters ?? null),
          ...pins,
          ...credentials,
          state: body.state ?? 'active',
          verification: chosenMethod(body.verification) ?? standardMethod(this.ports.verification.rule),
          secrets: [secret.stored],
        },
        now(),
        history?.backfill,
      )
      .catch(refuseTransformation);
    if (endpoint === null) {
      throw new AppError('unknown-tenant', `There is no tenant ${JSON.stringify(body.tenantId)}.`, {
        errors: [{ pointer: '/tenantId', code: 'unknown-tenant', detail: 'There is no such tenant.' }],
      });
    }
    await this.#announce(endpoint, null);
    return { ...answerOf(endpoint), secret: secret.plain, backfill: history?.answer ?? null };
  }

  async list(
    query: z.output<typeof listEndpointsQuery>,
  ): Promise<{ data: EndpointAnswer[]; nextCursor: string | null }> {
    const { data, nextCursor } = await listed(() => this.ports.repository.list(query));
    return { data: data.map(answerOf), nextCursor };
  }

  async get(id: string): Promise<EndpointAnswer & { readonly faults: readonly FaultAnswer[] }> {
    const endpoint = await this.ports.repository.get(checkId('endpoint', id));
    if (endpoint === null) throw notFound('endpoint', id);
    const faults = await this.ports.faults.of(id);
    return {
      ...answerOf(endpoint),
      faults: faults.map(({ kind, count, lastAt, lastDetail }) => ({
        kind,
        count,
        lastAt: dateTime(lastAt),
        lastDetail,
      })),
    };
  }

  async retryPreview(id: string): Promise<RetryPreviewAnswer> {
    const { retry } = await this.get(id);
    return previewAnswer(retry);
  }

  /** Of a policy that is not stored, as `create` would take it. */
  previewOf(retry: RetryPatch): RetryPreviewAnswer {
    const merged = mergeRetry(this.defaults.retry, retry, this.defaults.retry);
    return previewAnswer(checkBody(wholeFlow.pick({ retry: true }), { retry: merged }).retry);
  }

  /** JSON merge patch (RFC 7396): policies are merged member by member with those that are there. */
  async patch(id: string, body: PatchEndpointBody, precondition: Precondition = null): Promise<EndpointAnswer> {
    const { repository, now } = this.ports;
    for (let tries = 1; ; tries += 1) {
      const before = await repository.get(checkId('endpoint', id));
      if (before === null) throw notFound('endpoint', id);
      checkMatch(precondition, endpointTag(before));
      const changes = { ...this.#changes(before, body), ...(await this.ports.pins.ofPatched(before, body)) };
      // Much of it was merged with what was read: what others have changed since must not be undone by it.
      const expected = { now: now(), expectedRevision: before.revision };
      const result = await repository.update(id, changes, expected).catch(refuseTransformation);
      if (result.outcome === 'updated') {
        await this.#announce(result.endpoint, before.verification);
        return answerOf(result.endpoint);
      }
      if (result.outcome === 'not-found') throw notFound('endpoint', id);
      if (tries === patchTries)
        throw new AppError('conflict', 'It is being changed by others all the time. Try again.');
    }
  }

  async delete(id: string, precondition: Precondition = null): Promise<void> {
    const { repository, now } = this.ports;
    const seen = (endpoint: Endpoint): boolean => precondition === null || precondition(endpointTag(endpoint));
    const result = await repository.delete(checkId('endpoint', id), now(), seen);
    switch (result.outcome) {
      case 'not-found':
        throw notFound('endpoint', id);
      case 'unexpected':
        throw preconditionFailed(endpointTag(result.endpoint));
      case 'deleted':
        await this.ports.publication.published();
    }
  }

  /** Nobody who sends knows an endpoint's new URL as one to send to before it is tried. */
  async #announce({ verification }: Endpoint, before: EndpointVerification | null): Promise<void> {
    await this.ports.publication.published();
    if (verification !== null && verification.round !== before?.round) this.ports.verification.begun();
  }

  async #history(
    since: number | 'beginning',
  ): Promise<{ readonly backfill: NewBackfill; readonly answer: CreatedAnswer['backfill'] }> {
    const { source, newId, now } = this.ports;
    if (since !== 'beginning' && since > now()) {
      throw new AppError('invalid-body', 'One thing does not fit.', {
        errors: [{ pointer: '/since', code: 'invalid', detail: 'Must not lie in the future.' }],
      });
    }
    const { cursors, gap } = await source.historyFrom(since);
    return {
      backfill: { run: `b_${newId()}`, cursors },
      answer: {
        since: since === 'beginning' ? since : dateTime(since),
        gap: gap && { partitions: gap.partitions, from: dateTime(gap.from) },
      },
    };
  }

  #changes(before: Endpoint, body: PatchEndpointBody): EndpointChanges {
    refuseMoved(before, body);
    const content = mergeContent(before, body);
    const credentials = makeCredentials(this.ports, before.endpointId, body);
    const { authentication = before.authentication } = credentials;
    refuseTwice(content.headers, authentication, body.authentication === undefined ? '/headers' : '/authentication');
    const orDefault = <T>(value: T | null | undefined, fallback: T): T | undefined =>
      value === null ? fallback : value;
    return {
      url: body.url,
      eventTypes: body.eventTypes,
      description: orDefault(body.description, ''),
      ordering: orDefault(body.ordering, 'none'),
      onExhausted: orDefault(body.onExhausted, 'skip'),
      maxInFlight: orDefault(body.maxInFlight, this.defaults.maxInFlight),
      adaptiveConcurrency: orDefault(body.adaptiveConcurrency, true),
      timeoutMs: orDefault(body.timeoutMs, this.defaults.timeoutMs),
      state: orDefault(body.state, 'active'),
      ...this.#flowChanges(before, body),
      ...content,
      ...credentials,
      filters: body.filters === undefined ? undefined : filtersText(body.filters),
      verification: this.#method(before, body),
    };
  }

  /**
   * The one that is asked for, or the operator's, where the choice is given back, or where a new URL has to have one that it
   * lacks. Endpoints that were there before the operator asked for it keep what they have until then.
   */
  #method({ url, verification }: Endpoint, body: PatchEndpointBody): VerificationMethod | null | undefined {
    const { rule } = this.ports.verification;
    const chosen = chosenMethod(body.verification);
    if (chosen !== undefined) return chosen ?? standardMethod(rule);
    if (rule === 'off' || body.url === undefined || body.url === url) return undefined;
    return verification !== null && isMethodAllowed(rule, verification.method) ? undefined : standardMethod(rule);
  }

  /** What the patch does not name stays undefined. */
  #flowChanges(before: Endpoint, patch: PatchEndpointBody): Pick<EndpointChanges, 'retry' | 'rateLimit' | 'circuit'> {
    const { retry, rateLimit: rate, circuit: ofCircuit } = patch;
    const { retry: standard } = this.defaults;
    return checkBody(wholeFlow.partial(), {
      retry: retry === null ? standard : retry && mergeRetry(before.retry, retry, standard),
      rateLimit: rate === undefined ? undefined : mergeRateLimit(before.rateLimit, rate),
      circuit: ofCircuit === undefined ? undefined : mergeCircuit(before.circuit, ofCircuit),
    });
  }
}

/** What was merged is checked as a whole; faults point to where it stands in the body. */
const wholeFlow = z.object({ retry: retryPolicy, rateLimit, circuit });

/** An imported secret, or one that is to be made. */
const wanted = (secret: string | undefined) => (secret === undefined ? ({ kind: 'hmac' } as const) : { secret });

/** Each change is another revision. */
export const endpointTag = ({ revision }: { readonly revision: number }): string => `"${revision}"`;

/** Null: every event of its types. */
const filtersText = (filters: Filters | null): string | null =>
  filters === null || filters.expressions.length === 0 ? null : filters.text;

/** Without secrets, sealed or not: an endpoint as everybody with the key may see it. */
const answerOf = (endpoint: Endpoint): EndpointAnswer => ({
  id: endpoint.endpointId,
  tenantId: endpoint.tenantId,
  url: endpoint.url,
  description: endpoint.description === '' ? null : endpoint.description,
  eventTypes: [...endpoint.eventTypes],
  filters: endpoint.filters === null ? [] : (JSON.parse(endpoint.filters) as unknown[]),
  versions: shownPins(endpoint),
  state: endpoint.state,
  disabledReason: endpoint.disabledReason,
  ordering: endpoint.ordering,
  onExhausted: endpoint.onExhausted,
  maxInFlight: endpoint.maxInFlight,
  adaptiveConcurrency: endpoint.adaptiveConcurrency,
  rateLimit: endpoint.rateLimit,
  circuit: endpoint.circuit,
  timeoutMs: endpoint.timeoutMs,
  retry: { ...endpoint.retry, delaysMs: [...endpoint.retry.delaysMs] },
  format: endpoint.format,
  compression: endpoint.compression,
  headers: { ...endpoint.headers },
  batch: endpoint.batch,
  transformationId: endpoint.transformationId,
  ...shownOf(endpoint),
  verification: stateAnswer(endpoint.verification),
  revision: endpoint.revision,
  createdAt: dateTime(endpoint.createdAt),
  updatedAt: dateTime(endpoint.updatedAt),
});
