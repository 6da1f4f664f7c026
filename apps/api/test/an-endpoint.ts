import { plainContent, withoutVerification } from '#libs/contracts';
import { scheduleOf } from '#libs/core';
import { noEndpointCredentials, type Endpoint } from '#libs/persistence';

/** An endpoint as its repository gives it. */
export const anEndpoint = (changes: Partial<Endpoint> = {}): Endpoint => ({
  endpointId: 'ep_1',
  tenantId: 'acme',
  url: 'https://example.com/hooks',
  eventTypes: ['*'],
  description: '',
  state: 'active',
  disabledReason: null,
  ordering: 'none',
  onExhausted: 'skip',
  maxInFlight: 4,
  adaptiveConcurrency: true,
  timeoutMs: 15_000,
  retry: scheduleOf([5_000]),
  rateLimit: null,
  circuit: null,
  ...plainContent,
  ...noEndpointCredentials,
  ...withoutVerification,
  verification: null,
  secrets: [],
  backfill: null,
  revision: 1,
  createdAt: 0,
  updatedAt: 0,
  ...changes,
});
