import {
  bearerCredential,
  callbackSeconds,
  callbackToken,
  challengeBody,
  challengeVerdict,
  handshakeRequest,
  handshakeHeaders,
  handshakeVerdict,
  inForce,
  openSecret,
  rateToAsk,
  refusedFor,
  signingKey,
  signWebhook,
  tokenOutcomeOf,
  webhookHeaders,
  withoutCredential,
  type Credential,
  type EndpointVerification,
  type HandshakeAsked,
  type MasterKeys,
  type PostFailure,
  type PostResult,
  type VerificationVerdict,
} from '#libs/core';
import { credentialsOf, type EndpointCredentials, type HttpSender } from '#libs/http-delivery';
import type { Endpoint, VerificationExchange } from '#libs/persistence';

export interface AskingPorts {
  readonly sender: Pick<HttpSender, 'post'>;
  readonly masterKeys: MasterKeys;
  readonly now: () => number;
  readonly newId: () => string;
  readonly randomBytes: (count: number) => Buffer;
}

export interface AskingOptions {
  /** DNS name of this deployment. */
  readonly origin: string;
  /** Where the api is reached from outside; empty: no callback is offered. */
  readonly publicUrl: string;
}

export interface Asked {
  readonly verdict: VerificationVerdict;
  /** Who was to be allowed; null: nobody was named. */
  readonly origin: string | null;
  /** Null: nothing could be sent. */
  readonly exchange: VerificationExchange | null;
}

/** Below the time that a process has to stop, and the one after which a claim on a try ends. */
const longestMs = 10_000;
/** For a token before it. */
const longestTokenMs = 5_000;
const userAgent = 'Posthorn/0.1';
/** Path of the callbacks, on the api. */
export const callbackPath = 'verifications';

/** Asks an endpoint whether it wants what would be sent to it, by the guard's rules, once, without following anything. */
export class EndpointAsking {
  constructor(
    private readonly ports: AskingPorts,
    private readonly options: AskingOptions,
  ) {}

  /** Never rejects for what the endpoint does. Outside of any transaction: it may take ten seconds. */
  ask(endpoint: Endpoint, verification: EndpointVerification): Promise<Asked> {
    return verification.method === 'handshake' ? this.#shakeHands(endpoint, verification) : this.#challenge(endpoint);
  }

  /** CloudEvents webhooks, section 4. */
  async #shakeHands(endpoint: Endpoint, { round }: EndpointVerification): Promise<Asked> {
    const { masterKeys, now } = this.ports;
    const { origin, publicUrl } = this.options;
    const expiresAt = Math.floor(now() / 1_000) + callbackSeconds;
    const token = callbackToken(masterKeys, { endpointId: endpoint.endpointId, round, expiresAt });
    const callback = publicUrl === '' ? null : `${publicUrl.replace(/\/+$/, '')}/${callbackPath}/${token}`;
    const asked: HandshakeAsked = { origin, rate: rateToAsk(endpoint.rateLimit), callback };
    const request = { method: 'OPTIONS', headers: handshakeRequest(asked), body: Buffer.alloc(0) } as const;
    const { result, exchange } = await this.#send(endpoint, request);
    // The body means nothing, and may tell whoever reads it what only the receiver is to know: the callback.
    const shown = { ...exchange, response: exchange.response && { ...exchange.response, body: '' } };
    return { verdict: handshakeVerdict(asked, result), origin, exchange: without(token, shown) };
  }

  /** Signed as a delivery is (Standard Webhooks 1.0.0). */
  async #challenge(endpoint: Endpoint): Promise<Asked> {
    const { masterKeys, now, newId, randomBytes } = this.ports;
    const at = now();
    const keys = inForce(endpoint.secrets, at).map(({ ciphertext }) =>
      signingKey(openSecret(masterKeys, ciphertext, endpoint.endpointId)),
    );
    if (keys.length === 0) {
      const verdict = refusedFor('no-secret', 'No secret of the endpoint is in force: rotate it.');
      return { verdict, origin: null, exchange: null };
    }
    const challenge = randomBytes(32).toString('base64url');
    const body = challengeBody(challenge, at);
    const [id, timestamp] = [`msg_${newId()}`, Math.floor(at / 1_000)];
    const headers = {
      'content-type': 'application/json',
      [webhookHeaders.id]: id,
      [webhookHeaders.timestamp]: String(timestamp),
      [webhookHeaders.signature]: signWebhook(keys, id, timestamp, body),
    };
    const { result, exchange } = await this.#send(endpoint, { method: 'POST', headers, body });
    return { verdict: challengeVerdict(challenge, result), origin: null, exchange };
  }

  async #send(
    endpoint: Endpoint,
    {
      method,
      headers: own,
      body,
    }: { readonly method: 'POST' | 'OPTIONS'; readonly headers: object; readonly body: Buffer },
  ): Promise<{ readonly result: PostResult; readonly exchange: VerificationExchange }> {
    const { origin, pathname, search } = new URL(endpoint.url);
    const credentials = credentialsOf(endpoint, this.ports.masterKeys);
    const { credential, failed } = await this.#proofOf(credentials);
    const headers = {
      ...endpoint.headers,
      ...(credential === null ? {} : { [credential.name]: credential.value }),
      'user-agent': userAgent,
      ...own,
    } as Record<string, string>;
    const at = this.ports.now();
    const answer =
      failed ??
      (await this.ports.sender.post({
        method,
        origin,
        path: pathname + search,
        headers,
        body,
        encoding: 'identity',
        timeoutMs: Math.min(endpoint.timeoutMs, longestMs),
        ...(credentials.tls === null ? {} : { tls: credentials.tls }),
      }));
    const result = credential === null ? answer : withoutCredential(answer, credential.hidden);
    const shown = shownHeaders(headers, credential?.name);
    const request = { method, url: endpoint.url, headers: shown, body: body.toString('utf8') };
    return { result, exchange: { at, request, ...outcomeOf(result) } };
  }

  /** What a delivery would show. A token is fetched for this alone: it is asked for so rarely. */
  async #proofOf({ credential, grant }: EndpointCredentials): Promise<Proof> {
    if (grant === null) return { credential, failed: null };
    const asked = await this.ports.sender.post({ ...grant.request, timeoutMs: longestTokenMs });
    const outcome = tokenOutcomeOf(asked, grant.hidden);
    if (outcome.kind === 'token') return { credential: bearerCredential(outcome.token), failed: null };
    const message = `no token from ${grant.place}: ${outcome.message}`;
    return { credential: null, failed: { kind: 'error', error: { kind: 'auth-token', message }, durationMs: 0 } };
  }
}

interface Proof {
  /** Null: none is wanted, or there is none. */
  readonly credential: Credential | null;
  /** What comes of it without a request. */
  readonly failed: PostFailure | null;
}

/** Secret: who had the callback could allow what only the receiver may. */
const hiddenHeaders: ReadonlySet<string> = new Set(['authorization', handshakeHeaders.requestCallback]);

const shownHeaders = (headers: Readonly<Record<string, string>>, credential?: string): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => {
      const isHidden = name === credential || hiddenHeaders.has(name.toLowerCase());
      return [name, isHidden ? '[hidden]' : value];
    }),
  );

function outcomeOf(result: PostResult): Pick<VerificationExchange, 'response' | 'error' | 'durationMs'> {
  const { durationMs } = result;
  if (result.kind === 'error') return { response: null, error: result.error, durationMs };
  const { status, headers, body, truncated } = result;
  return { response: { status, headers, body: body.toString('utf8'), truncated }, error: null, durationMs };
}

/** Wherever the receiver may have repeated it. */
const without = (secret: string, exchange: VerificationExchange): VerificationExchange =>
  JSON.parse(JSON.stringify(exchange).replaceAll(secret, '[hidden]')) as VerificationExchange;
