import { createHash } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import { ConnectFailure } from './connect-failure.js';
import { errorMessageOf } from './error-kind.js';

/** How to speak TLS with one endpoint, where it is not as with all. Texts are PEM. */
export interface ClientTls {
  /** The certificates to trust, instead of the public ones. */
  readonly ca?: string;
  /** The client's certificate, with what lies between it and its root; and its private key. */
  readonly cert?: string;
  readonly key?: string;
  /** The name to ask for (SNI) and to find in the certificate, instead of the URL's host. */
  readonly servername?: string;
}

/** @throws ConnectFailure `tls`, in a sentence for whoever configures them */
export function secureContextOf(tls: ClientTls): SecureContext {
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    throw new ConnectFailure('tls', 'a client certificate and its key come together');
  }
  try {
    return createSecureContext(tls);
  } catch (cause) {
    throw new ConnectFailure('tls', `the certificate, its key or the CA cannot be used: ${errorMessageOf(cause)}`, {
      cause,
    });
  }
}

/** @returns why they cannot be used, or null */
export function clientTlsFault(tls: ClientTls): string | null {
  try {
    secureContextOf(tls);
    return null;
  } catch (error) {
    return errorMessageOf(error);
  }
}

const keys = new WeakMap<ClientTls, string>();

/** Equal for what is equal. Worked out once per object: keep it with the endpoint. */
export function tlsKeyOf(tls: ClientTls): string {
  let key = keys.get(tls);
  if (key === undefined) {
    const parts = [tls.ca, tls.cert, tls.key, tls.servername].map((part) => part ?? null);
    key = createHash('sha256').update(JSON.stringify(parts)).digest('base64url');
    keys.set(tls, key);
  }
  return key;
}
