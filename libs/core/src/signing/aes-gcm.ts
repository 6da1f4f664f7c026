import { createCipheriv, createDecipheriv } from 'node:crypto';

const nonceBytes = 12;
const tagBytes = 16;

/**
 * AES-256-GCM. `context` is authenticated, not hidden.
 * @param nonce 12 bytes, never used twice with a key
 * @returns nonce, tag and ciphertext in one
 */
export function encrypt(key: Uint8Array, plain: Uint8Array, context: string, nonce: Uint8Array): Buffer {
  if (nonce.length !== nonceBytes) throw new RangeError(`a nonce has ${nonceBytes} bytes, not ${nonce.length}`);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context, 'utf8'));
  const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), sealed]);
}

/** Reads what `encrypt` made. Throws when key, context or a single bit of it do not fit. */
export function decrypt(key: Uint8Array, sealed: Uint8Array, context: string): Buffer {
  const body = nonceBytes + tagBytes;
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, nonceBytes), { authTagLength: tagBytes })
    .setAAD(Buffer.from(context, 'utf8'))
    .setAuthTag(sealed.subarray(nonceBytes, body));
  return Buffer.concat([decipher.update(sealed.subarray(body)), decipher.final()]);
}
