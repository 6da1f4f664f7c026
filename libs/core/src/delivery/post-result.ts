/**
 * Why a POST got no answer, or why none was made. Stable codes: they stand in Attempt records and in API answers.
 *
 * - `connect-timeout`, `headers-timeout`, `body-timeout`: no connection, no status line and headers, no (further) body in time
 * - `total-timeout`: the endpoint's time for the whole request is over
 * - `dns`: the host name could not be resolved; `refused`: nothing listens there or it cannot be reached
 * - `reset`: the connection ended before the answer did; `tls`: handshake or certificate; `protocol`: not HTTP as it must be
 * - `guard`: the address is forbidden; `proxy`: the proxy is at fault; `undeliverable`: it cannot be put into a request (URL, header, secret)
 * - `auth-token`: the endpoint's authorization server gave no token, so nothing was sent; the message says why
 * - `aborted`: given up by ourselves while on its way
 *
 * Attempts without a POST have others: `transformation`, `version`, `too-large` (why there was no body), `expired`,
 * `skipped`, `poison`, and of tests alone `overloaded` (too many of them wait).
 */
export type AttemptErrorKind =
  | 'connect-timeout'
  | 'headers-timeout'
  | 'body-timeout'
  | 'total-timeout'
  | 'dns'
  | 'refused'
  | 'reset'
  | 'tls'
  | 'protocol'
  | 'guard'
  | 'proxy'
  | 'undeliverable'
  | 'auth-token'
  | 'aborted';

/** What an endpoint answered. Several headers of one name are joined by `, `. */
export interface PostAnswer {
  readonly kind: 'response';
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** The first bytes of the answer, up to a cap. */
  readonly body: Buffer;
  /** Whether the answer was longer. */
  readonly truncated: boolean;
  readonly durationMs: number;
}

/** No answer, or not a whole one. */
export interface PostFailure {
  readonly kind: 'error';
  readonly error: { readonly kind: AttemptErrorKind; readonly message: string };
  readonly durationMs: number;
}

/** What came of a POST. What an endpoint does is data, never an exception (DESIGN §3, Outcome). */
export type PostResult = PostAnswer | PostFailure;
