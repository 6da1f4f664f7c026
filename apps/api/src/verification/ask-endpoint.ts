import {
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
  withoutCredential,
  webhookHeaders,
  type Credential,
  type EndpointVerification,
  type HandshakeAsked,
  type MasterKeys,
  type PostResult,
  type VerificationVerdict,
} from '#libs/core';
import type { ClientTls, HttpSender } from '#libs/http-delivery';
import type { Endpoint, VerificationExchange } from '#libs/persistence';
import { callbackPath } from './callback-path.js';
import { shownCredentials } from './shown-credentials.js';

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
const userAgent = 'Posthorn/0.1';

/** Asks an endpoint whether it wants what would be sent to it, by the guard's rules, once, without following anything. */
export class EndpointAsking {
  constructor(
    private readonly ports: AskingPorts,
    private readonly options: AskingOptions,
  ) {}

  /** Never rejects for what the endpoint does. Outside of any transaction: it may take twenty seconds. */
  async ask(endpoint: Endpoint, verification: EndpointVerification): Promise<Asked> {
    const shown = await shownCredentials(endpoint, this.ports);
    if ('failed' in shown) return { verdict: refusedFor(shown.reason, shown.failed), origin: null, exchange: null };
    return verification.method === 'handshake'
      ? this.#shakeHands(endpoint, verification, shown)
      : this.#challenge(endpoint, shown);
  }

  /** CloudEvents webhooks, section 4. */
  async #shakeHands(endpoint: Endpoint, { round }: EndpointVerification, shown: Shown): Promise<Asked> {
    const { masterKeys, now } = this.ports;
    const { origin, publicUrl } = this.options;
    const expiresAt = Math.floor(now() / 1_000) + callbackSeconds;
    const token = callbackToken(masterKeys, { endpointId: endpoint.endpointId, round, expiresAt });
    const callback = publicUrl === '' ? null : `${publicUrl.replace(/\/+$/, '')}/${callbackPath}/${token}`;
    const asked: HandshakeAsked = { origin, rate: rateToAsk(endpoint.rateLimit), callback };
    const request = { method: 'OPTIONS', headers: handshakeRequest(asked), body: Buffer.alloc(0) } as const;
    const { result, exchange } = await this.#send(endpoint, request, shown);
    // The body means nothing, and may tell whoever reads it what only the receiver is to know: the callback.
    const kept = { ...exchange, response: exchange.response && { ...exchange.response, body: '' } };
    return { verdict: handshakeVerdict(asked, result), origin, exchange: without(token, kept) };
  }

  /** Signed as a delivery is (Standard Webhooks 1.0.0). */
  async #challenge(endpoint: Endpoint, shown: Shown): Promise<Asked> {
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
    const { result, exchange } = await this.#send(endpoint, { method: 'POST', headers, body }, shown);
    return { verdict: challengeVerdict(challenge, result), origin: null, exchange };
  }

  async #send(
    endpoint: Endpoint,
    { method, headers: own, body }: Question,
    { credential, tls }: Shown,
  ): Promise<{ readonly result: PostResult; readonly exchange: VerificationExchange }> {
    const { origin, pathname, search } = new URL(endpoint.url);
    const named = credential === null ? {} : { [credential.name]: credential.value };
    const headers = { ...endpoint.headers, ...named, 'user-agent': userAgent, ...own };
    const at = this.ports.now();
    const answered = await this.ports.sender.post({
      method,
      origin,
      path: pathname + search,
      headers,
      body,
      encoding: 'identity',
      timeoutMs: Math.min(endpoint.timeoutMs, longestMs),
      ...(tls === null ? {} : { tls }),
    });
    const result = withoutCredential(answered, credential?.hidden ?? []);
    const readable = hiding(headers, [handshakeHeaders.requestCallback, ...Object.keys(named)]);
    const request = { method, url: endpoint.url, headers: readable, body: body.toString('utf8') };
    return { result, exchange: { at, request, ...outcomeOf(result) } };
  }
}

interface Question {
  readonly method: 'POST' | 'OPTIONS';
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

interface Shown {
  readonly credential: Credential | null;
  readonly tls: ClientTls | null;
}

/** Who had the callback could allow what only the receiver may; credentials are nobody's to read. */
const hiding = (headers: Readonly<Record<string, string>>, names: readonly string[]): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, names.includes(name) ? '[hidden]' : value]));

function outcomeOf(result: PostResult): Pick<VerificationExchange, 'response' | 'error' | 'durationMs'> {
  const { durationMs } = result;
  if (result.kind === 'error') return { response: null, error: result.error, durationMs };
  const { status, headers, body, truncated } = result;
  return { response: { status, headers, body: body.toString('utf8'), truncated }, error: null, durationMs };
}

/** Wherever the receiver may have repeated it. */
const without = (secret: string, exchange: VerificationExchange): VerificationExchange =>
  JSON.parse(JSON.stringify(exchange).replaceAll(secret, '[hidden]')) as VerificationExchange;
