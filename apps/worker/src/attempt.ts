import type { KeyObject } from 'node:crypto';
import type { Attempt, AttemptOutcome } from '#libs/contracts';
import {
  hiddenCredential,
  signWebhook,
  textWithin,
  webhookHeaders,
  type Credential,
  type PostResult,
} from '#libs/core';
import type { HttpPost } from '#libs/http-delivery';
import { bodyOf, headersOf } from './batch-record.js';
import type { ReadyEndpoint } from './endpoint-directory.js';
import type { Entry } from './owned-partition.js';
import type { Subject } from './subjects.js';

/** A request, ready to be POSTed. Its body is as it was signed. */
export interface Post extends HttpPost {
  /** Which of the headers nobody may read; null: none. */
  readonly credential: Credential | null;
}

/** What was tried, for the Attempt that tells of it; `post` null when there was none. */
export interface Trial {
  /** Null: not known any more. */
  readonly endpoint: ReadyEndpoint | null;
  readonly post: Post | null;
  /** Unix milliseconds. */
  readonly startedAt: number;
}

export interface AttemptFacts {
  readonly outcome: AttemptOutcome;
  readonly final: boolean;
  readonly dueAt?: number;
  readonly deadLetterReason?: string;
  readonly error?: { readonly kind: string; readonly message: string };
}

const userAgent = 'Posthorn/0.1';
const noHeaders = {};
const noTls = {};
const gzipHeaders = { 'content-encoding': 'gzip' };
/** Smaller bodies gain nothing. */
const gzipsFromBytes = 1_024;
/**
 * What an Attempt keeps, beside the texts of its event, so that there is a record for it whatever was sent and answered.
 * Headers in characters, the rest is left out: an event's attributes may all be `ce-` headers.
 */
const keptRequestHeaderLength = 32_768;
const keptHeaderLength = 8_192;
const keptBodyBytes = 4_096;
const keptErrorBytes = 4_096;

/**
 * Signs a delivery for sending it now (Standard Webhooks 1.0.0): the id is the same for every attempt, the timestamp is
 * this attempt's. What is signed is the body without its content coding. The endpoint's own headers come before all that
 * mean something to Posthorn.
 * @param now Unix milliseconds
 */
export function signedPost(
  entry: Entry,
  endpoint: ReadyEndpoint,
  keys: readonly KeyObject[],
  credential: Credential | null,
  now: number,
): Post {
  const { delivery } = entry;
  const body = bodyOf(delivery);
  const timestamp = Math.floor(now / 1_000);
  const { headers, compression, timeoutMs } = endpoint.config;
  const isGzipped = compression === 'gzip' && body.length >= gzipsFromBytes;
  return {
    origin: endpoint.origin,
    path: endpoint.path,
    headers: {
      ...headers,
      ...headersOf(delivery),
      ...(credential === null ? noHeaders : { [credential.name]: credential.value }),
      'content-type': delivery.contentType,
      ...(isGzipped ? gzipHeaders : noHeaders),
      'user-agent': userAgent,
      [webhookHeaders.id]: delivery.webhookId,
      [webhookHeaders.timestamp]: String(timestamp),
      [webhookHeaders.signature]: signWebhook(keys, delivery.webhookId, timestamp, body),
    },
    body,
    encoding: isGzipped ? 'gzip' : 'identity',
    timeoutMs,
    credential,
    ...(endpoint.credentials.tls === null ? noTls : { tls: endpoint.credentials.tls }),
  };
}

/**
 * The record of what happened. `result` null: nothing was sent. Of a batch, the first member tells all of request and answer,
 * the others what there is room for: a thousand of them would multiply it.
 */
export function attemptOf(
  { entry, delivery, batch }: Subject,
  trial: Trial,
  result: PostResult | null,
  facts: AttemptFacts,
  workerId: string,
): Attempt {
  const parts = batch === null || batch.place === 0 ? 1 : batch.size;
  const bodyBytes = Math.floor(keptBodyBytes / parts);
  const requestHeaders = trial.post === null ? noHeaders : readableHeaders(trial.post);
  const error = result?.kind === 'error' ? result.error : (facts.error ?? null);
  return {
    deliveryId: entry.id,
    webhookId: delivery.webhookId,
    tenantId: delivery.tenantId,
    endpointId: delivery.endpointId,
    stream: delivery.stream,
    pos: entry.pos,
    eventId: delivery.eventId,
    eventSource: delivery.eventSource,
    eventType: delivery.eventType,
    configVersion: trial.endpoint?.version ?? delivery.configVersion,
    acceptedAt: delivery.acceptedAt,
    dispatchedAt: delivery.dispatchedAt,
    number: trial.post === null ? 0 : delivery.attempt + 1,
    startedAt: trial.startedAt,
    durationMs: Math.round(result?.durationMs ?? 0),
    url: trial.post === null ? '' : trial.post.origin + trial.post.path,
    requestHeaders: parts === 1 ? keptRequestHeaders(requestHeaders) : essentialOf(requestHeaders),
    response:
      result?.kind === 'response'
        ? {
            status: result.status,
            headers: keptHeaders(result.headers, keptHeaderLength / parts),
            body: result.body.subarray(0, bodyBytes),
            truncated: result.truncated || result.body.length > bodyBytes,
          }
        : null,
    error: error && { kind: error.kind, message: textWithin(error.message, keptErrorBytes) },
    outcome: facts.outcome,
    final: facts.final,
    deadLetterReason: facts.deadLetterReason ?? null,
    dueAt: facts.dueAt ?? null,
    workerId,
    orderingKey: delivery.orderingKey,
    batch,
  };
}

function readableHeaders({ headers, credential }: Post): Readonly<Record<string, string>> {
  return credential === null ? headers : { ...headers, [credential.name]: hiddenCredential };
}

/** What tells a request from others. */
const essential = [webhookHeaders.id, webhookHeaders.timestamp, webhookHeaders.signature, 'content-type'];

function essentialOf(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const kept: Record<string, string> = {};
  for (const name of essential) {
    const value = headers[name];
    if (value !== undefined) kept[name] = value;
  }
  return kept;
}

function keptRequestHeaders(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const kept = keptHeaders(headers, keptRequestHeaderLength);
  return kept === headers ? headers : { ...kept, ...essentialOf(headers) };
}

function keptHeaders(headers: Readonly<Record<string, string>>, keptLength: number): Readonly<Record<string, string>> {
  let length = 0;
  for (const name in headers) length += name.length + (headers[name]?.length ?? 0);
  if (length <= keptLength) return headers;
  let room = keptLength;
  return Object.fromEntries(
    Object.entries(headers).filter(([name, value]) => (room -= name.length + value.length) >= 0),
  );
}
