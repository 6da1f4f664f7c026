import { createHmac, sign, timingSafeEqual, verify, type KeyObject } from 'node:crypto';

/** Standard Webhooks 1.0.0: header names. */
export const webhookHeaders = {
  id: 'webhook-id',
  timestamp: 'webhook-timestamp',
  signature: 'webhook-signature',
} as const;

/**
 * Signs `{id}.{timestamp}.{body}` under each key: with HMAC-SHA256 (`v1`), or Ed25519 (`v1a`) if it is a private key.
 * @param timestamp whole Unix seconds, of the attempt
 * @returns the `webhook-signature` header: space-delimited `<version>,<base64>`, one for each key
 */
export function signWebhook(keys: readonly KeyObject[], id: string, timestamp: number, body: Uint8Array): string {
  const head = `${id}.${timestamp}.`;
  return keys
    .map((key) =>
      key.type === 'private'
        ? `v1a,${sign(null, contentOf(head, body), key).toString('base64')}`
        : `v1,${createHmac('sha256', key).update(head).update(body).digest('base64')}`,
    )
    .join(' ');
}

/** Ed25519 takes the whole of it at once. */
const contentOf = (head: string, body: Uint8Array): Buffer => Buffer.concat([Buffer.from(head, 'utf8'), body]);

export type Verification = { readonly ok: true } | { readonly ok: false; readonly reason: VerificationFailure };
export type VerificationFailure = 'missing-header' | 'bad-timestamp' | 'too-old' | 'too-new' | 'no-match';

export interface SignedRequest {
  readonly id: string | undefined;
  readonly timestamp: string | undefined;
  readonly signature: string | undefined;
  readonly body: Uint8Array;
}

/** What a receiver verifies with: the bytes of a secret (`parseSecret`), or a public key (`parsePublicKey`). */
export type VerifyingKey = Uint8Array | KeyObject;

/**
 * Verifies a request as a receiver should: every presented `v1` signature against every secret, in constant time, every
 * `v1a` against every public key, and the timestamp within the tolerance both ways.
 * @param nowSeconds the receiver's clock, Unix seconds
 */
export function verifyWebhook(
  keys: readonly VerifyingKey[],
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
  const content = contentOf(`${id}.${timestamp}.`, body);
  const secrets = keys.filter((key) => !isPublic(key));
  const publicKeys = keys.filter(isPublic);
  const expected = secrets.map((key) => createHmac('sha256', key).update(content).digest());
  let matched = false;
  for (const candidate of signature.split(' ')) {
    const [version, text = ''] = candidate.split(',', 2);
    const given = Buffer.from(text, 'base64');
    if (version === 'v1') {
      for (const digest of expected) {
        if (given.length === digest.length && timingSafeEqual(given, digest)) matched = true;
      }
    } else if (version === 'v1a') {
      matched ||= publicKeys.some((key) => verify(null, content, key, given));
    }
  }
  return matched ? { ok: true } : { ok: false, reason: 'no-match' };
}

const isPublic = (key: VerifyingKey): key is KeyObject => !(key instanceof Uint8Array) && key.type === 'public';
