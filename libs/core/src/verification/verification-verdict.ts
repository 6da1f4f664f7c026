import type { AttemptErrorKind, PostResult } from '../delivery/index.js';

export type VerificationMethod = 'handshake' | 'challenge';

/**
 * Why an endpoint was not verified. Stable codes: what kept the request from being answered, or
 *
 * - `status`: the answer's status says that it was not taken (a challenge), or not understood (a handshake)
 * - `origin-missing`, `origin-other`: no `WebHook-Allowed-Origin`, or one for somebody else
 * - `rate-missing`, `rate-invalid`: `WebHook-Allowed-Rate` is not there although a rate was asked for, or is none
 * - `no-echo`, `wrong-echo`: a 2xx without the challenge, or with another one
 * - `no-secret`: nothing is in force that a challenge could be signed with
 */
export type VerificationFault =
  | AttemptErrorKind
  | 'status'
  | 'origin-missing'
  | 'origin-other'
  | 'rate-missing'
  | 'rate-invalid'
  | 'no-echo'
  | 'wrong-echo'
  | 'no-secret';

/** `allowedRate`: requests per minute that the receiver takes; null: it names no limit. */
export type VerificationVerdict =
  | { readonly verified: true; readonly allowedRate: number | null }
  | { readonly verified: false; readonly reason: VerificationFault; readonly detail: string };

export const refusedFor = (reason: VerificationFault, detail: string): VerificationVerdict => ({
  verified: false,
  reason,
  detail,
});

/** That of a request without an answer. */
export const unanswered = ({ error }: PostResult & { readonly kind: 'error' }): VerificationVerdict =>
  refusedFor(error.kind, error.message);
