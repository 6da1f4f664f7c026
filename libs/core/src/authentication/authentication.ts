import { openSecret } from '../signing/secret-box.js';
import type { MasterKeys } from '../signing/master-keys.js';

/** How Posthorn shows an endpoint who it is, beside the signatures. Readable here; wherever it is kept it is sealed. */
export type Authentication = FixedAuthentication | OAuth2Authentication;

/** The same header in every request. */
export type FixedAuthentication =
  /** RFC 6750 §2.1. */
  | { readonly kind: 'bearer'; readonly token: string }
  /** RFC 7617. */
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  | { readonly kind: 'header'; readonly name: string; readonly value: string };

/** A bearer token that an authorization server hands out: client credentials, RFC 6749 §4.4. */
export interface OAuth2Authentication {
  readonly kind: 'oauth2';
  readonly tokenUrl: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scope: string | null;
  /** No part of the standard; several servers ask for it. */
  readonly audience: string | null;
  /** RFC 6749 §2.3.1: the client's name and secret in the `Authorization` header, or in the body. */
  readonly clientAuthentication: 'basic' | 'body';
}

/** For mutual TLS; PEM. */
export interface ClientCertificate {
  /** With what lies between it and its root. */
  readonly certificate: string;
  readonly privateKey: string;
}

const kinds: ReadonlySet<unknown> = new Set<Authentication['kind']>(['bearer', 'basic', 'header', 'oauth2']);

/**
 * What is sealed is the whole of it, as JSON: so where a client's secret is sent to cannot be changed without the master
 * key. Throws as `openSecret`, and a RangeError when it is of a kind that this version does not know.
 */
export function openAuthentication(keys: MasterKeys, sealed: string, endpointId: string): Authentication {
  const opened = openJson(keys, sealed, endpointId);
  if (!kinds.has(opened['kind'])) throw new RangeError('an authentication of a kind that is not known here');
  return opened as unknown as Authentication;
}

/** Throws as `openSecret`, and a RangeError when it is something else. */
export function openClientCertificate(keys: MasterKeys, sealed: string, endpointId: string): ClientCertificate {
  const { certificate, privateKey } = openJson(keys, sealed, endpointId);
  if (typeof certificate !== 'string' || typeof privateKey !== 'string') {
    throw new RangeError('not a client certificate');
  }
  return { certificate, privateKey };
}

function openJson(keys: MasterKeys, sealed: string, endpointId: string): Record<string, unknown> {
  const text = openSecret(keys, sealed, endpointId);
  // What the parser says of a text repeats parts of it; a signing secret that was put here must not be told.
  if (!text.startsWith('{')) throw new RangeError('not a sealed credential');
  return JSON.parse(text) as Record<string, unknown>;
}
