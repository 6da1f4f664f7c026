import { bearerCredential, tokenOutcomeOf, type Credential, type MasterKeys } from '#libs/core';
import { credentialsOf, type ClientTls, type HttpSender } from '#libs/http-delivery';
import type { Endpoint } from '#libs/persistence';

/** What an endpoint is shown with a request, as with each of its deliveries. */
export type ShownCredentials =
  | { readonly credential: Credential | null; readonly tls: ClientTls | null }
  /** No token is to be had; `aborted`: by ourselves, since the process stops. */
  | { readonly failed: string; readonly reason: 'auth-token' | 'aborted' };

/**
 * Opens what an endpoint is to be shown, and fetches its token: once per try, so none is kept. For the token and for its use
 * together there is twice as much time: below the one after which a claim ends. Throws what opening throws: a master key that
 * is missing here says nothing of the endpoint.
 */
export async function shownCredentials(
  endpoint: Endpoint,
  { masterKeys, sender }: { readonly masterKeys: MasterKeys; readonly sender: Pick<HttpSender, 'post'> },
): Promise<ShownCredentials> {
  const { credential, grant, tls } = credentialsOf(endpoint, masterKeys);
  if (grant === null) return { credential, tls };
  const result = await sender.post(grant.request);
  const outcome = tokenOutcomeOf(result, grant.hidden);
  if (outcome.kind === 'token') return { credential: bearerCredential(outcome.token), tls };
  const reason = result.kind === 'error' && result.error.kind === 'aborted' ? 'aborted' : 'auth-token';
  return { failed: `no token from ${grant.place}: ${outcome.message}`, reason };
}
