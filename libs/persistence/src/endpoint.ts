import type { EndpointConfig, EndpointSecret } from '#libs/contracts';
import type { EndpointVerification, SecretKind } from '#libs/core';

/**
 * What workers are told of an endpoint, and what only people see. Secrets are ciphertext here, always. What was decided of
 * its halted deliveries is kept apart (`HaltedKeys`): there may be many.
 */
export interface Endpoint extends Omit<
  EndpointConfig,
  'resolutions' | 'secrets' | 'awaitsVerification' | 'requestOrigin'
> {
  /** In the order in which they sign. */
  readonly secrets: readonly StoredSecret[];
  /** Empty when there is none. */
  readonly description: string;
  /** Why it was disabled by Posthorn; null otherwise. */
  readonly disabledReason: string | null;
  /** Null: what is sent to it need not be wanted. */
  readonly verification: EndpointVerification | null;
  readonly createdAt: number;
}

/** A secret, sealed; what workers are told of it, and what only people see. */
export interface StoredSecret extends EndpointSecret {
  readonly kind: SecretKind;
  /** `whpk_…` of a key pair; null otherwise. */
  readonly publicKey: string | null;
  /** Unix milliseconds. */
  readonly createdAt: number;
}
