import { createCipheriv, createDecipheriv } from 'node:crypto';

/** Master keys by version. New secrets are sealed with the highest version; older ones still open. */
export type MasterKeys = ReadonlyMap<number, Uint8Array>;

/**
 * Reads `1:<base64 of 32 bytes>,2:<…>` as in POSTHORN_MASTER_KEYS. Throws a RangeError that says which part is wrong
 * (and never shows the key).
 */
export function parseMasterKeys(text: string): MasterKeys {
  const keys = new Map<number, Uint8Array>();
  for (const [index, part] of text.split(',').entries()) {
    const match = /^\s*(\d+):([A-Za-z0-9+/=_-]+)\s*$/.exec(part);
    const bytes = Buffer.from(match?.[2] ?? '', 'base64');
    if (!match || bytes.length !== 32) {
      throw new RangeError(`master key no. ${index + 1} is not <version>:<base64 of 32 bytes>`);
    }
    keys.set(Number(match[1]), bytes);
  }
  return keys;
}

/**
 * Seals a secret with AES-256-GCM. `context` (such as the endpoint's id) is authenticated: a ciphertext moved to another
 * endpoint does not open.
 * @param nonce 12 random bytes, never used twice
 * @returns `v<version>.<base64url of nonce, tag, ciphertext>`
 */
export function sealSecret(keys: MasterKeys, secret: string, context: string, nonce: Uint8Array): string {
  const version = Math.max(...keys.keys());
  const key = keys.get(version);
  if (!key) throw new RangeError('there is no master key');
  if (nonce.length !== 12) throw new RangeError(`a nonce has 12 bytes, not ${nonce.length}`);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context, 'utf8'));
  const sealed = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
  return `v${version}.${Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64url')}`;
}

/** Opens what `sealSecret` made. Throws when the key's version is unknown, or key, context or text do not fit. */
export function openSecret(keys: MasterKeys, sealed: string, context: string): string {
  const match = /^v(\d+)\.([A-Za-z0-9_-]+)$/.exec(sealed);
  if (!match) throw new RangeError('not a sealed secret');
  const key = keys.get(Number(match[1]));
  if (!key) throw new RangeError(`no master key of version ${match[1]}: add it to POSTHORN_MASTER_KEYS`);
  const bytes = Buffer.from(match[2] ?? '', 'base64url');
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12))
    .setAAD(Buffer.from(context, 'utf8'))
    .setAuthTag(bytes.subarray(12, 28));
  return decipher.update(bytes.subarray(28), undefined, 'utf8') + decipher.final('utf8');
}
