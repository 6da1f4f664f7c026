import { decrypt, encrypt } from './aes-gcm.js';
import { masterKeyOf, newestVersion, type MasterKeys } from './master-keys.js';
import { isEnvelope, openEnvelope } from './secret-envelope.js';

/**
 * Seals a text directly with the newest master key: for what lives for hours. What lasts goes into an envelope
 * (`sealEnvelope`), which a new master key changes only in part. `context` (such as the endpoint's id) is authenticated: a
 * ciphertext moved to another endpoint does not open.
 * @param nonce 12 random bytes, never used twice
 * @returns `v<version>.<base64url of nonce, tag, ciphertext>`
 */
export function sealSecret(keys: MasterKeys, secret: string, context: string, nonce: Uint8Array): string {
  const version = newestVersion(keys);
  const sealed = encrypt(masterKeyOf(keys, version), Buffer.from(secret, 'utf8'), context, nonce);
  return `v${version}.${sealed.toString('base64url')}`;
}

/**
 * Opens what `sealSecret` or `sealEnvelope` made. Throws when the key's version is unknown, or key, context or text do not
 * fit.
 */
export function openSecret(keys: MasterKeys, sealed: string, context: string): string {
  if (isEnvelope(sealed)) return openEnvelope(keys, sealed, context);
  const match = /^v(\d+)\.([A-Za-z0-9_-]+)$/.exec(sealed);
  if (!match) throw new RangeError('not a sealed secret');
  const key = masterKeyOf(keys, Number(match[1]));
  return decrypt(key, Buffer.from(match[2] ?? '', 'base64url'), context).toString('utf8');
}
