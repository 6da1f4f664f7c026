import type { EndpointConfig, HaltResolution } from '#libs/contracts';
import { awaitsVerification, rateWithin } from '#libs/core';
import type { Endpoint } from './endpoint.js';

/**
 * What dispatchers and workers are told of an endpoint, without what is for people only. Until it is verified it is
 * paused to them: its events wait in the log, and workers hold what they have. To a version of them that knows nothing of
 * verification too.
 */
export function publishedEndpoint(endpoint: Endpoint, resolutions: readonly HaltResolution[]): EndpointConfig {
  const { description: _d, disabledReason: _r, createdAt: _c, secrets, verification, ...rest } = endpoint;
  const { authentication: _a, clientCertificate: _t, caCertificates: _n, ...config } = rest;
  const awaits = awaitsVerification(verification);
  return {
    ...config,
    state: awaits && config.state === 'active' ? 'paused' : config.state,
    rateLimit: rateWithin(config.rateLimit, verification?.allowedRate ?? null),
    awaitsVerification: awaits,
    requestOrigin: verification?.origin ?? null,
    secrets: secrets.map(({ secretId, ciphertext, expiresAt }) => ({ secretId, ciphertext, expiresAt })),
    resolutions: [...resolutions],
  };
}
