import { textWithin } from '../log/index.js';
import type { VerificationFault, VerificationMethod, VerificationVerdict } from './verification-verdict.js';

/** Whether an endpoint has shown that it wants what is sent to its URL, and how it is to show it. */
export interface EndpointVerification {
  readonly method: VerificationMethod;
  /** `unverified`: not tried to the end since its URL was set. Only to a verified one anything is delivered. */
  readonly state: 'unverified' | 'verified' | 'failed';
  /** Revision that set the URL or the method: what is learnt of an earlier one is void. */
  readonly round: number;
  /** Of the last failure; null otherwise. */
  readonly reason: VerificationFault | null;
  readonly detail: string | null;
  /** When it became so, Unix milliseconds. */
  readonly at: number;
  /** Who was allowed to send: later requests name it too. Null: nobody was asked for. */
  readonly origin: string | null;
  /** Requests per minute that the receiver takes; null: it named no limit. */
  readonly allowedRate: number | null;
}

/** A new URL, or another method, at `revision`. */
export const unverified = (method: VerificationMethod, revision: number, now: number): EndpointVerification => ({
  method,
  state: 'unverified',
  round: revision,
  reason: null,
  detail: null,
  at: now,
  origin: null,
  allowedRate: null,
});

/**
 * What a change makes of it: with another URL or method it begins anew, at the revision that the change makes.
 * @param after `method` undefined: as it was; null: it is not verified
 */
export function verificationAfter(
  before: { readonly url: string; readonly verification: EndpointVerification | null },
  after: { readonly url: string; readonly method: VerificationMethod | null | undefined },
  revision: number,
  now: number,
): EndpointVerification | null {
  const { verification } = before;
  const method = after.method === undefined ? (verification?.method ?? null) : after.method;
  if (method === null) return null;
  if (verification?.method === method && before.url === after.url) return verification;
  return unverified(method, revision, now);
}

const detailBytes = 500;

/** Stored as jsonb, which has neither NUL nor half a surrogate pair; a server's own words may hold both. */
const storable = (text: string): string => text.replaceAll('\0', '\u{fffd}').toWellFormed();

/** @param origin that was asked for, of a handshake; null of a challenge */
export function judged(
  before: EndpointVerification,
  verdict: VerificationVerdict,
  origin: string | null,
  now: number,
): EndpointVerification {
  const { method, round } = before;
  const same = { method, round, at: Math.max(now, before.at) };
  return verdict.verified
    ? { ...same, state: 'verified', reason: null, detail: null, origin, allowedRate: verdict.allowedRate }
    : {
        ...same,
        state: 'failed',
        reason: verdict.reason,
        detail: textWithin(storable(verdict.detail), detailBytes),
        origin: null,
        allowedRate: null,
      };
}

/** Whether its deliveries wait for it. */
export const awaitsVerification = (verification: EndpointVerification | null): boolean =>
  verification !== null && verification.state !== 'verified';

/** Waits before the 2nd, 3rd, … automatic try, in milliseconds. */
const waitsMs = [5_000, 60_000, 600_000, 3_600_000, 21_600_000] as const;

/** Automatic tries for one URL, crashes included. */
export const mostTries = waitsMs.length + 1;

/** How long after a failed one the next follows; null: no further one. @param tries made until now */
export const nextTryInMs = (tries: number): number | null => waitsMs[tries - 1] ?? null;
