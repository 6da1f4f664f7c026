import type { EndpointConfig } from './records.generated.js';

/** Of an endpoint that was never asked whether it wants anything, nor has to be. */
export const withoutVerification: Pick<EndpointConfig, 'awaitsVerification' | 'requestOrigin'> = Object.freeze({
  awaitsVerification: false,
  requestOrigin: null,
});
