import { noCredentials, type EndpointConfig, type EndpointCredentials, type EndpointSecret } from '#libs/contracts';
import type { Authentication, CertificateFacts, EndpointVerification, SecretKind } from '#libs/core';

/**
 * What workers are told of an endpoint, and what only people see. Secrets are ciphertext here, always. What was decided of
 * its halted deliveries is kept apart (`HaltedKeys`): there may be many.
 */
export interface Endpoint
  extends Omit<EndpointConfig, 'resolutions' | 'secrets' | 'awaitsVerification' | 'requestOrigin'>, ShownCredentials {
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

/** What people may see of an endpoint's credentials; workers are told the sealed ones. */
export interface ShownCredentials {
  readonly authentication: ShownAuthentication | null;
  readonly clientCertificate: (CertificateFacts & { readonly setAt: number }) | null;
  /** Trusted instead of the public ones; null: those. */
  readonly caCertificates: readonly CertificateFacts[] | null;
}

/** All of an authentication but what is secret. */
export type ShownAuthentication = Shown<Authentication> & {
  /** When it was given last, Unix milliseconds: a new secret shows by nothing else. */
  readonly setAt: number;
};

type Shown<A> = A extends unknown ? Omit<A, 'token' | 'password' | 'value' | 'clientSecret'> : never;

/** Of an endpoint that shows nothing but signatures, and trusts the public authorities. */
export const noEndpointCredentials: ShownCredentials & EndpointCredentials = Object.freeze({
  ...noCredentials,
  authentication: null,
  clientCertificate: null,
  caCertificates: null,
});
