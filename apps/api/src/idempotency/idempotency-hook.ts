/**
 * Reads and writes: idempotency_keys, around every POST but /v1/events, where (source, id) serves.
 * Guarantees: for a day, a request with a key that was answered is answered likewise, and its work is done once.
 * On a crash between the work and its answer: whether it was done is not known; the key may be used again after two minutes.
 * Test: idempotency.int-spec.ts.
 */
import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { canonicalJson } from '#libs/core';
import type { IdempotencyKeys, KeyedRequest } from '#libs/persistence';
import { callerOf } from '../access/caller.js';
import { AppError } from '../problem/app-error.js';

export interface IdempotencyPorts {
  readonly keys: Pick<IdempotencyKeys, 'begin' | 'finish' | 'abandon'>;
  readonly now: () => number;
  readonly log: { warn(details: object, message: string): void };
}

interface Begun {
  readonly request: KeyedRequest;
  readonly run: string;
}

/** What of an answer is given again. */
interface Kept {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const keptHeaders = ['content-type', 'cache-control', 'location', 'etag'];
const validKey = /^[\x21-\x7e]{1,255}$/;
/** Answers that say "not now": the next one may be another. */
const isPassing = (reply: FastifyReply): boolean =>
  reply.statusCode >= 500 || reply.statusCode === 429 || reply.hasHeader('retry-after');

export function installIdempotency(server: FastifyInstance, ports: IdempotencyPorts): void {
  const begun = new WeakMap<FastifyRequest, Begun>();

  // With callbacks: most requests, all of /v1/events among them, have no key, and make no promise here.
  server.addHook('preHandler', (request, reply, done) => {
    let key: string | undefined;
    try {
      key = keyOf(request);
    } catch (error) {
      done(error as AppError);
      return;
    }
    if (key === undefined) {
      done();
      return;
    }
    const keyed = { caller: callerName(request), key, digest: digestOf(request) };
    const proceed = (result: Awaited<ReturnType<typeof begin>>): void => {
      if (result.outcome === 'answered') {
        again(reply, result);
        return;
      }
      begun.set(request, { request: keyed, run: result.run });
      done();
    };
    begin(ports, keyed).then(proceed, done);
  });

  server.addHook('onSend', (request, reply, payload, done) => {
    const own = begun.get(request);
    if (own === undefined) {
      done(null, payload);
      return;
    }
    begun.delete(request);
    const send = (): void => done(null, payload);
    void finish(ports, own, reply, payload).then(send);
  });
}

/** Rejects with a refusal where there is nothing to do or to give again. */
async function begin({ keys, now }: IdempotencyPorts, request: KeyedRequest) {
  const result = await keys.begin(request, now());
  switch (result.outcome) {
    case 'first':
    case 'answered':
      return result;
    case 'in-progress':
      throw refusal('request-in-progress', 'A request with this key is under way.', { 'retry-after': '2' });
    case 'other-request':
      throw refusal('idempotency-key-reused', 'This key was used for another request.');
  }
}

/** Never rejects: it was done, and that is what the caller has to know. */
async function finish({ keys, log }: IdempotencyPorts, own: Begun, reply: FastifyReply, payload: unknown) {
  try {
    if (isPassing(reply)) await keys.abandon(own.request, own.run);
    else await keys.finish(own.request, own.run, { status: reply.statusCode, answer: kept(reply, payload) });
  } catch (err) {
    log.warn({ err }, 'the answer to a request with an Idempotency-Key was not kept');
  }
}

/** Undefined: there is none, or it means nothing here. */
function keyOf(request: FastifyRequest): string | undefined {
  const given = request.headers['idempotency-key'];
  const { url } = request.routeOptions;
  if (given === undefined || request.method !== 'POST' || url === undefined || !url.startsWith('/v1/'))
    return undefined;
  if (url === '/v1/events') return undefined;
  if (typeof given === 'string' && validKey.test(given)) return given;
  throw new AppError('invalid-parameter', 'The Idempotency-Key does not fit.', {
    errors: [
      { header: 'idempotency-key', code: 'invalid', detail: 'Send one key of 1 to 255 visible ASCII characters.' },
    ],
  });
}

/** Portal tokens that see the same share their keys: a browser gets another token while it tries again. */
function callerName(request: FastifyRequest): string {
  const { actor, confinement } = callerOf(request);
  if (actor.kind !== 'portal' || confinement === null) return `${actor.kind} ${actor.id}`;
  return `portal ${confinement.tenantId} ${confinement.endpointIds?.join(' ') ?? '*'}`;
}

/** Two spellings of one body are one request. */
const digestOf = ({ method, url, body }: FastifyRequest): Buffer =>
  createHash('sha256')
    .update(canonicalJson([method, url, body ?? null]))
    .digest();

function kept(reply: FastifyReply, payload: unknown): string {
  const headers: Record<string, string> = {};
  for (const name of keptHeaders) {
    const value = reply.getHeader(name);
    if (value !== undefined) headers[name] = String(value);
  }
  const body = typeof payload === 'string' || Buffer.isBuffer(payload) ? payload.toString() : '';
  return JSON.stringify({ headers, body } satisfies Kept);
}

function again(reply: FastifyReply, { status, answer }: { readonly status: number; readonly answer: string }): void {
  const { headers, body } = JSON.parse(answer) as Kept;
  void reply
    .code(status)
    .headers({ ...headers, 'idempotency-replayed': 'true' })
    .send(body === '' ? undefined : Buffer.from(body));
}

const refusal = (
  code: 'request-in-progress' | 'idempotency-key-reused',
  detail: string,
  headers: Readonly<Record<string, string>> = {},
): AppError => new AppError(code, detail, { headers, errors: [{ header: 'idempotency-key', code, detail }] });
