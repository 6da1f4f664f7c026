import type { EndpointConfig } from '#libs/contracts';

/**
 * What workers are told of an endpoint, and what only people see. Secrets are ciphertext here, always. What was decided of
 * its halted deliveries is kept apart (`HaltedKeys`): there may be many.
 */
export interface Endpoint extends Omit<EndpointConfig, 'resolutions'> {
  /** Empty when there is none. */
  readonly description: string;
  /** Why it was disabled by Posthorn; null otherwise. */
  readonly disabledReason: string | null;
  readonly createdAt: number;
}
