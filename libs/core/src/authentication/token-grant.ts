import type { AttemptErrorKind, PostAnswer, PostResult } from '../delivery/post-result.js';
import type { OAuth2Authentication } from './authentication.js';
import { basicPair } from './credential.js';
import { withoutText } from './without-credential.js';

/** The request for a token: a form, RFC 6749 §4.4.2. */
export interface TokenRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** What must not be told of an answer that repeats it: the secret, and in what encodings it is sent. */
  readonly hidden: readonly string[];
}

export function tokenRequestOf(oauth: OAuth2Authentication): TokenRequest {
  const { clientId, clientSecret, scope, audience, clientAuthentication } = oauth;
  const form = new URLSearchParams({ grant_type: 'client_credentials' });
  if (scope !== null) form.set('scope', scope);
  if (audience !== null) form.set('audience', audience);
  const headers = { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' };
  // Encoded as in a form before they are joined: §2.3.1.
  const pair = basicPair(formEncoded(clientId), formEncoded(clientSecret));
  // The pair first: a short secret that is found within it would leave the rest of it.
  const hidden = [pair, formEncoded(clientSecret), clientSecret];
  if (clientAuthentication === 'basic') {
    return { headers: { ...headers, authorization: `Basic ${pair}` }, body: Buffer.from(form.toString()), hidden };
  }
  form.set('client_id', clientId);
  form.set('client_secret', clientSecret);
  return { headers, body: Buffer.from(form.toString()), hidden };
}

const formEncoded = (text: string): string => new URLSearchParams({ '': text }).toString().slice(1);

/**
 * Why there is no token: `guard`, `dns`, `timeout`, `connection` (what else went wrong on the way), `refused` (the server says
 * no: 4xx), `unavailable` (429, 5xx), `malformed` (an answer that holds no token that can be used).
 */
export type TokenFailureReason = 'guard' | 'dns' | 'timeout' | 'connection' | 'refused' | 'unavailable' | 'malformed';

export type TokenOutcome =
  | {
      readonly kind: 'token';
      readonly token: string;
      /** How long it is good for, in ms; null: the server does not say. */
      readonly lifetimeMs: number | null;
    }
  | { readonly kind: 'failed'; readonly reason: TokenFailureReason; readonly message: string };

const longestToken = 8_192;
const longestErrorLength = 300;
/** What a bearer token may be made of (RFC 6750 §2.1), and whatever else can stand in a header without a space. */
const tokenText = /^[\x21-\x7e]+$/;
/** An error code, RFC 6749 §5.2. */
const errorCode = /^[\x20-\x21\x23-\x5b\x5d-\x7e]{1,100}$/;

/**
 * What came of a request for a token (RFC 6749 §5.1, §5.2).
 * @param hidden what the message must not repeat
 */
export function tokenOutcomeOf(result: PostResult, hidden: readonly string[]): TokenOutcome {
  if (result.kind === 'error') {
    const { kind, message } = result.error;
    return { kind: 'failed', reason: reasonOf(kind), message: `${kind}: ${withoutText(message, hidden)}` };
  }
  return result.status === 200 ? tokenIn(result) : refusal(result, hidden);
}

function reasonOf(kind: AttemptErrorKind): TokenFailureReason {
  switch (kind) {
    case 'guard':
    case 'dns':
      return kind;
    case 'connect-timeout':
    case 'headers-timeout':
    case 'body-timeout':
    case 'total-timeout':
      return 'timeout';
    default:
      return 'connection';
  }
}

function tokenIn(answer: PostAnswer): TokenOutcome {
  if (answer.truncated) return malformed('its answer is too long');
  const fields = jsonOf(answer.body);
  if (fields === null) return malformed('its answer is not a JSON object');
  const { access_token: token, token_type: type, expires_in: expiresIn } = fields;
  if (typeof token !== 'string' || token === '') return malformed('its answer holds no access_token');
  if (token.length > longestToken || !tokenText.test(token)) {
    return malformed(`its access_token cannot be put into a header, or has over ${longestToken} characters`);
  }
  // Asked for by the standard, and left out by some servers.
  if (type !== undefined && !(typeof type === 'string' && type.toLowerCase() === 'bearer')) {
    return malformed('its token_type is not Bearer');
  }
  const seconds = typeof expiresIn === 'string' && /^\d{1,12}$/.test(expiresIn) ? Number(expiresIn) : expiresIn;
  return { kind: 'token', token, lifetimeMs: isDuration(seconds) ? seconds * 1_000 : null };
}

/** An error of the standard in its own words, cut; of another answer no more than its status. */
function refusal({ status, body, truncated }: PostAnswer, hidden: readonly string[]): TokenOutcome {
  const reason = status === 429 || status >= 500 ? 'unavailable' : 'refused';
  const fields = truncated ? null : jsonOf(body);
  const { error, error_description: description } = fields ?? {};
  const code = typeof error === 'string' && errorCode.test(error) ? ` ${error}` : '';
  const words = code !== '' && typeof description === 'string' ? ` (${description})` : '';
  const said = withoutText(`${code}${words}`, hidden).replaceAll(/\p{Cc}/gu, ' ');
  return { kind: 'failed', reason, message: `it answered ${status}${said}`.slice(0, longestErrorLength) };
}

const malformed = (message: string): TokenOutcome => ({ kind: 'failed', reason: 'malformed', message });

const isDuration = (value: unknown): value is number =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0;

function jsonOf(body: Buffer): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}
