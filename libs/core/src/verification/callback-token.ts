import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { masterKeyOf, newestVersion, type MasterKeys } from '../signing/index.js';

/** What a handshake's callback permits: one endpoint, at the URL that it had in one round. */
export interface CallbackClaims {
  readonly endpointId: string;
  readonly round: number;
  /** Unix seconds. */
  readonly expiresAt: number;
}

/** How long a callback may be used after the request that offered it, in seconds. */
export const callbackSeconds = 86_400;

/**
 * The secret part of a `WebHook-Request-Callback`: `<key version>.<expiry>.<round>.<endpoint>.<MAC>`. Nothing is stored for
 * it, so that every request of a round may offer one; it is signed with a key derived (HKDF, RFC 5869) from the newest
 * master key.
 */
export function callbackToken(masterKeys: MasterKeys, { endpointId, round, expiresAt }: CallbackClaims): string {
  const version = newestVersion(masterKeys);
  const signed = `${version}.${expiresAt}.${round}.${endpointId}`;
  return `${signed}.${macOf(masterKeyOf(masterKeys, version), signed).toString('base64url')}`;
}

/** @param now Unix seconds. @returns null: it is none of ours, or too old */
export function openCallbackToken(masterKeys: MasterKeys, token: string, now: number): CallbackClaims | null {
  const match = /^((\d{1,9})\.(\d{1,12})\.(\d{1,9})\.([A-Za-z0-9_-]{1,100}))\.([A-Za-z0-9_-]{43})$/.exec(token);
  if (match === null) return null;
  const [, signed = '', version, expiresAt, round, endpointId = '', mac = ''] = match;
  const key = masterKeys.get(Number(version));
  // 43 letters of base64url are 32 bytes, as the digest is.
  if (key === undefined || !timingSafeEqual(Buffer.from(mac, 'base64url'), macOf(key, signed))) return null;
  return Number(expiresAt) > now ? { endpointId, round: Number(round), expiresAt: Number(expiresAt) } : null;
}

const macOf = (masterKey: Uint8Array, signed: string): Buffer =>
  createHmac(
    'sha256',
    new Uint8Array(hkdfSync('sha256', masterKey, new Uint8Array(0), 'posthorn verification callback', 32)),
  )
    .update(signed)
    .digest();
