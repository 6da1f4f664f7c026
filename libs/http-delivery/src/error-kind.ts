import type { AttemptErrorKind } from '#libs/core';
import { ConnectFailure } from './connect-failure.js';

/** Codes of undici, Node's net, dns and tls, by what they mean for a delivery. */
const kinds: Readonly<Record<string, AttemptErrorKind>> = {
  UND_ERR_CONNECT_TIMEOUT: 'connect-timeout',
  ETIMEDOUT: 'connect-timeout',
  UND_ERR_HEADERS_TIMEOUT: 'headers-timeout',
  UND_ERR_BODY_TIMEOUT: 'body-timeout',
  ENOTFOUND: 'dns',
  EAI_AGAIN: 'dns',
  EAI_FAIL: 'dns',
  EAI_NODATA: 'dns',
  EAI_NONAME: 'dns',
  ENODATA: 'dns',
  ECONNREFUSED: 'refused',
  EHOSTUNREACH: 'refused',
  ENETUNREACH: 'refused',
  EHOSTDOWN: 'refused',
  EADDRNOTAVAIL: 'refused',
  EACCES: 'refused',
  ECONNRESET: 'reset',
  EPIPE: 'reset',
  ECONNABORTED: 'reset',
  UND_ERR_SOCKET: 'reset',
  EPROTO: 'tls',
  UND_ERR_HEADERS_OVERFLOW: 'protocol',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'protocol',
  UND_ERR_RES_EXCEEDED_MAX_SIZE: 'protocol',
  UND_ERR_INFO: 'reset',
  UND_ERR_INVALID_ARG: 'undeliverable',
  UND_ERR_REQ_CONTENT_LENGTH_MISMATCH: 'undeliverable',
  UND_ERR_ABORTED: 'aborted',
  UND_ERR_DESTROYED: 'aborted',
  UND_ERR_CLOSED: 'aborted',
};

/** OpenSSL's verdicts on a certificate, and Node's own. */
const certificateCode =
  /^(CERT_|ERR_TLS_|ERR_SSL_|CRL_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_|HOSTNAME_MISMATCH|ERROR_IN_CERT_)/;

/** A stable code for what went wrong on the way. What is not known counts as a broken connection. */
export function errorKindOf(error: unknown): AttemptErrorKind {
  // Happy eyeballs gives one error for each address that was tried; a cause may carry what the outer one does not.
  for (const one of unfolded(error)) {
    if (one instanceof ConnectFailure) return one.kind;
    // undici's parser error does not always have a code.
    if (one instanceof Error && one.name === 'HTTPParserError') return 'protocol';
    const code = codeOf(one);
    if (code === undefined) continue;
    const known = kinds[code];
    // "other side closed" before anything was secured is a failed handshake, as is a reset there.
    if (known !== undefined) return isHandshake(one) ? 'tls' : known;
    if (certificateCode.test(code)) return 'tls';
  }
  return 'reset';
}

/** In words, at most 500 characters. */
export function errorMessageOf(error: unknown): string {
  const [first] = unfolded(error).filter((one) => messageOf(one) !== '');
  return (messageOf(first) || 'the connection failed').slice(0, 500);
}

function unfolded(error: unknown, depth = 0): readonly unknown[] {
  if (!(error instanceof Error) || depth > 3) return [error];
  const inner = error instanceof AggregateError ? (error.errors as readonly unknown[]) : [];
  return [error, ...inner, ...(error.cause === undefined ? [] : [error.cause])].flatMap((one, index) =>
    index === 0 ? [one] : unfolded(one, depth + 1),
  );
}

const codeOf = (error: unknown): string | undefined => {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
};

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : '');

const isHandshake = (error: unknown): boolean =>
  /before secure TLS connection was established|SSL routines/.test(messageOf(error));
