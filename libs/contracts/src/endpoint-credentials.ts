import type { EndpointConfig } from './records.generated.js';

/** What an endpoint is shown, and what it must show, beside the signatures. */
export type EndpointCredentials = Pick<EndpointConfig, 'sealedAuthentication' | 'sealedClientCertificate' | 'caPem'>;

export const noCredentials: EndpointCredentials = Object.freeze({
  sealedAuthentication: null,
  sealedClientCertificate: null,
  caPem: null,
});
