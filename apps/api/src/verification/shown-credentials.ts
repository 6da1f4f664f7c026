import {
  bearerCredential,
  credentialOf,
  openAuthentication,
  openClientCertificate,
  tokenOutcomeOf,
  tokenRequestOf,
  type Credential,
  type MasterKeys,
  type OAuth2Authentication,
} from '#libs/core';
import type { ClientTls, HttpSender } from '#libs/http-delivery';
import type { Endpoint } from '#libs/persistence';

/** What an endpoint is shown with a request, as with each of its deliveries. */
export type ShownCredentials =
  | { readonly credential: Credential | null; readonly tls: ClientTls | null }
  /** No token is to be had. */
  | { readonly failed: string };

/** For the token and for its use together there is twice as much time: below the one after which a claim ends. */
const tokenTimeoutMs = 10_000;
const tokenAnswerBytes = 32_768;

/**
 * Opens what an endpoint is to be shown, and fetches its token: once per try, so none is kept. Throws what opening throws:
 * a master key that is missing here says nothing of the endpoint.
 */
export async function shownCredentials(
  endpoint: Endpoint,
  { masterKeys, sender }: { readonly masterKeys: MasterKeys; readonly sender: Pick<HttpSender, 'post'> },
): Promise<ShownCredentials> {
  const { endpointId, sealedAuthentication } = endpoint;
  const tls = tlsOf(endpoint, masterKeys);
  if (sealedAuthentication === null) return { credential: null, tls };
  const authentication = openAuthentication(masterKeys, sealedAuthentication, endpointId);
  return authentication.kind === 'oauth2'
    ? fetchToken(authentication, tls, sender)
    : { credential: credentialOf(authentication), tls };
}

function tlsOf({ endpointId, sealedClientCertificate, caPem }: Endpoint, masterKeys: MasterKeys): ClientTls | null {
  if (sealedClientCertificate === null && caPem === null) return null;
  const ca = caPem === null ? {} : { ca: caPem };
  if (sealedClientCertificate === null) return ca;
  const { certificate, privateKey } = openClientCertificate(masterKeys, sealedClientCertificate, endpointId);
  return { ...ca, cert: certificate, key: privateKey };
}

async function fetchToken(
  authentication: OAuth2Authentication,
  tls: ClientTls | null,
  sender: Pick<HttpSender, 'post'>,
): Promise<ShownCredentials> {
  const { origin, pathname, search } = new URL(authentication.tokenUrl);
  const { headers, body } = tokenRequestOf(authentication);
  const result = await sender.post({
    origin,
    path: pathname + search,
    headers,
    body,
    encoding: 'identity',
    timeoutMs: tokenTimeoutMs,
    keptAnswerBytes: tokenAnswerBytes,
    ...(tls === null ? {} : { tls }),
  });
  const outcome = tokenOutcomeOf(result, [authentication.clientSecret]);
  return outcome.kind === 'token'
    ? { credential: bearerCredential(outcome.token), tls }
    : { failed: `no token from ${origin}${pathname}: ${outcome.message}` };
}
