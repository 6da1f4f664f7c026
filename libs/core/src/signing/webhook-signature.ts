import { createHmac, createSecretKey, timingSafeEqual, type KeyObject } from 'node:crypto';

/** Standard Webhooks 1.0.0: header names. */
export const webhookHeaders = {
  id: 'webhook-id',
  timestamp: 'webhook-timestamp',
  signature: 'webhook-signature',
} as const;

const secretPrefix = 'whsec_';

/** @returns `whsec_` + base64 of 24 to 64 random bytes (Standard Webhooks 1.0.0, signature scheme). */
export function formatSecret(bytes: Uint8Array): string {
  if (bytes.length < 24 || bytes.length > 64) {
    throw new RangeError(`a webhook secret has 24 to 64 bytes, not ${bytes.length}`);
  }
  return secretPrefix + Buffer.from(bytes).toString('base64');
}

/** The key of a secret, made once: signing with it costs a fifth of signing with its bytes. Throws as `parseSecret`. */
export const signingKey = (secret: string): KeyObject => createSecretKey(parseSecret(secret));

/** The key's bytes. Accepts the secret with or without its prefix; throws a RangeError on anything else. */
export function parseSecret(secret: string): Buffer {
  const text = secret.startsWith(secretPrefix) ? secret.slice(secretPrefix.length) : secret;
  const bytes = Buffer.from(text, 'base64');
  if (
    bytes.length < 24 ||
    bytes.length > 64 ||
    bytes.toString('base64').replace(/=+$/, '') !== text.replace(/=+$/, '')
  ) {
    throw new RangeError('not a webhook secret: expected whsec_ and the base64 of 24 to 64 bytes');
  }
  return bytes;
}

/**
 * Signs `{id}.{timestamp}.{body}` with HMAC-SHA256 under each key.
 * @param timestamp whole Unix seconds, of the attempt
 * @returns the `webhook-signature` header: space-delimited `v1,<base64>`, one for each key
 */
export function signWebhook(keys: readonly KeyObject[], id: string, timestamp: number, body: Uint8Array): string {
  const head = `${id}.${timestamp}.`;
  return keys.map((key) => `v1,${createHmac('sha256', key).update(head).update(body).digest('base64')}`).join(' ');
}

export type Verification = { readonly ok: true } | { readonly ok: false; readonly reason: VerificationFailure };
export type VerificationFailure = 'missing-header' | 'bad-timestamp' | 'too-old' | 'too-new' | 'no-match';

export interface SignedRequest {
  readonly id: string | undefined;
  readonly timestamp: string | undefined;
  readonly signature: string | undefined;
  readonly body: Uint8Array;
}

/**
 * Verifies a request as a receiver should: every presented `v1` signature against every key, in constant time, and the
 * timestamp within the tolerance both ways.
 * @param nowSeconds the receiver's clock, Unix seconds
 */
export function verifyWebhook(
  keys: readonly Uint8Array[],
  request: SignedRequest,
  nowSeconds: number,
  toleranceSeconds = 300,
): Verification {
  const { id, timestamp, signature, body } = request;
  if (!id || !timestamp || !signature) return { ok: false, reason: 'missing-header' };
  if (!/^\d{1,15}$/.test(timestamp)) return { ok: false, reason: 'bad-timestamp' };
  const at = Number(timestamp);
  if (at < nowSeconds - toleranceSeconds) return { ok: false, reason: 'too-old' };
  if (at > nowSeconds + toleranceSeconds) return { ok: false, reason: 'too-new' };
  const expected = keys.map((key) => createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest());
  let matched = false;
  for (const candidate of signature.split(' ')) {
    if (!candidate.startsWith('v1,')) continue;
    const given = Buffer.from(candidate.slice(3), 'base64');
    for (const digest of expected) {
      if (given.length === digest.length && timingSafeEqual(given, digest)) matched = true;
    }
  }
  return matched ? { ok: true } : { ok: false, reason: 'no-match' };
}
