import type { Endpoint, StoredSecret } from './endpoint.js';
import type { EndpointRow, EndpointSecretRow } from './entities.js';

/** @param secrets in their order */
export function endpointOf(row: EndpointRow, secrets: readonly EndpointSecretRow[]): Endpoint {
  const { id: endpointId, retryKind: kind, retryDelaysMs: delaysMs, retryBaseMs: baseMs, ...others } = row;
  const { retryFactor: factor, retryMaxAttempts: maxAttempts, retryJitterKind: jitterKind, ...rest } = others;
  const { retryJitter: jitter, retryMaxDelayMs: maxDelayMs, retryMaxTotalMs: maxTotalMs, ...same } = rest;
  const retry = { kind, delaysMs, baseMs, factor, maxAttempts, jitterKind, jitter, maxDelayMs, maxTotalMs };
  return { ...same, endpointId, retry, secrets: secrets.map(secretOf) };
}

const secretOf = ({ id: secretId, endpointId: _e, place: _p, ...rest }: EndpointSecretRow): StoredSecret => ({
  secretId,
  ...rest,
});

/** Without the secrets, which are rows of their own. */
export function rowOf(endpoint: Endpoint): EndpointRow {
  const { endpointId: id, secrets: _, retry, eventTypes, versions, headers, ...same } = endpoint;
  return {
    ...same,
    id,
    eventTypes: [...eventTypes],
    versions: { ...versions },
    headers: { ...headers },
    retryKind: retry.kind,
    retryDelaysMs: [...retry.delaysMs],
    retryBaseMs: retry.baseMs,
    retryFactor: retry.factor,
    retryMaxAttempts: retry.maxAttempts,
    retryJitterKind: retry.jitterKind,
    retryJitter: retry.jitter,
    retryMaxDelayMs: retry.maxDelayMs,
    retryMaxTotalMs: retry.maxTotalMs,
  };
}
