import { createHash } from 'node:crypto';
import type { EndpointCredentials as SealedCredentials } from '#libs/contracts';
import {
  credentialOf,
  openAuthentication,
  openClientCertificate,
  tokenRequestOf,
  type Credential,
  type MasterKeys,
  type OAuth2Authentication,
} from '#libs/core';
import type { ClientTls } from './client-tls.js';
import type { HttpPost } from './http-post.js';

/** What an endpoint is shown beside the signatures, opened once per configuration. */
export interface EndpointCredentials {
  /** The same in every request; null: there is none, or it is a token, which must be fetched. */
  readonly credential: Credential | null;
  readonly grant: TokenGrant | null;
  /** Null: no certificates of its own. One object per configuration: connections are told apart by it. */
  readonly tls: ClientTls | null;
}

/** How a token is asked for, ready to be sent. */
export interface TokenGrant {
  /** Equal for those that get the same token. It is a digest, since it outlives the configuration. */
  readonly key: string;
  /** Where it is asked for, to be told: without a query. */
  readonly place: string;
  readonly request: HttpPost;
  /** What must not be told of an answer. */
  readonly hidden: readonly string[];
}

type Sealed = SealedCredentials & { readonly endpointId: string };

/** For a token; an endpoint's deliveries wait so long at most. */
const tokenTimeoutMs = 10_000;
/** Tokens that carry claims are long; so much of an answer is looked at. */
const tokenAnswerBytes = 32_768;

/** @throws RangeError, or what opening throws, when they cannot be used: the endpoint's deliveries wait then */
export function credentialsOf(config: Sealed, masterKeys: MasterKeys): EndpointCredentials {
  const { endpointId, sealedAuthentication } = config;
  const tls = tlsOf(config, masterKeys);
  if (sealedAuthentication === null) return { credential: null, grant: null, tls };
  const authentication = openAuthentication(masterKeys, sealedAuthentication, endpointId);
  return authentication.kind === 'oauth2'
    ? { credential: null, grant: grantOf(authentication, tls), tls }
    : { credential: credentialOf(authentication), grant: null, tls };
}

function tlsOf({ endpointId, sealedClientCertificate, caPem }: Sealed, masterKeys: MasterKeys): ClientTls | null {
  if (sealedClientCertificate === null && caPem === null) return null;
  const ca = caPem === null ? {} : { ca: caPem };
  if (sealedClientCertificate === null) return ca;
  const { certificate, privateKey } = openClientCertificate(masterKeys, sealedClientCertificate, endpointId);
  return { ...ca, cert: certificate, key: privateKey };
}

function grantOf(authentication: OAuth2Authentication, tls: ClientTls | null): TokenGrant {
  const url = new URL(authentication.tokenUrl);
  const { clientId, clientSecret, scope, audience, clientAuthentication } = authentication;
  const same = [url.href, clientId, clientSecret, scope, audience, clientAuthentication];
  // A token may be bound to the certificate that it was asked for with (RFC 8705).
  const parts = [...same, tls?.ca ?? null, tls?.cert ?? null, tls?.key ?? null];
  const { headers, body, hidden } = tokenRequestOf(authentication);
  return {
    key: createHash('sha256').update(JSON.stringify(parts)).digest('base64url'),
    place: url.origin + url.pathname,
    request: {
      origin: url.origin,
      path: url.pathname + url.search,
      headers,
      body,
      encoding: 'identity',
      timeoutMs: tokenTimeoutMs,
      keptAnswerBytes: tokenAnswerBytes,
      ...(tls === null ? {} : { tls }),
    },
    hidden,
  };
}
