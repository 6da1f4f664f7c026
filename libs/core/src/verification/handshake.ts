import type { PostResult } from '../delivery/index.js';
import { refusedFor, unanswered, type VerificationVerdict } from './verification-verdict.js';

/** Abuse protection of CloudEvents (HTTP 1.1 Web Hooks for Event Delivery, section 4). Names in lower case, as Node gives them. */
export const handshakeHeaders = {
  requestOrigin: 'webhook-request-origin',
  requestRate: 'webhook-request-rate',
  requestCallback: 'webhook-request-callback',
  allowedOrigin: 'webhook-allowed-origin',
  allowedRate: 'webhook-allowed-rate',
} as const;

export interface HandshakeAsked {
  /** DNS name of the sending system. */
  readonly origin: string;
  /** Requests per minute; null: none is named. */
  readonly rate: number | null;
  /** Null: none is offered. */
  readonly callback: string | null;
}

/** Of the `OPTIONS` request (section 4.1). */
export function handshakeRequest({ origin, rate, callback }: HandshakeAsked): Record<string, string> {
  return {
    [handshakeHeaders.requestOrigin]: origin,
    ...(rate === null ? {} : { [handshakeHeaders.requestRate]: String(rate) }),
    ...(callback === null ? {} : { [handshakeHeaders.requestCallback]: callback }),
  };
}

/**
 * What an answer to it means (section 4.2). Consent is in the headers alone: a server that answers every OPTIONS with 200
 * has not consented, and one that consents with 404 has.
 */
export function handshakeVerdict({ origin, rate }: HandshakeAsked, result: PostResult): VerificationVerdict {
  if (result.kind === 'error') return unanswered(result);
  const { status, headers } = result;
  const allowed = headers[handshakeHeaders.allowedOrigin]?.trim();
  if (allowed === undefined || allowed === '') {
    const detail = `It answered ${status}, without WebHook-Allowed-Origin.`;
    return refusedFor(status < 300 ? 'origin-missing' : 'status', detail);
  }
  if (!isAllowedOrigin(allowed, origin))
    return refusedFor('origin-other', `WebHook-Allowed-Origin must be ${JSON.stringify(origin)} or "*".`);
  const given = headers[handshakeHeaders.allowedRate];
  if (given === undefined) {
    return rate === null
      ? { verified: true, allowedRate: null }
      : refusedFor('rate-missing', 'It was asked for a rate, and answered without WebHook-Allowed-Rate.');
  }
  const allowedRate = parseAllowedRate(given);
  return allowedRate === undefined
    ? refusedFor('rate-invalid', 'WebHook-Allowed-Rate must be "*" or a whole number of requests per minute from 1.')
    : { verified: true, allowedRate };
}

/** DNS names are compared without case, and with or without the root's dot. A list of origins is none. */
export const isAllowedOrigin = (allowed: string, origin: string): boolean =>
  allowed === '*' || plain(allowed) === plain(origin);

const plain = (name: string): string => name.toLowerCase().replace(/\.$/, '');

/** @returns requests per minute; null: no limit; undefined: it is no rate (section 4.2.2) */
export function parseAllowedRate(text: string): number | null | undefined {
  const trimmed = text.trim();
  if (trimmed === '*') return null;
  if (!/^[0-9]{1,15}$/.test(trimmed)) return undefined;
  const rate = Number(trimmed);
  return rate > 0 ? rate : undefined;
}
