import { hash } from 'node:crypto';

/** A key as it is kept: nobody can make the key of it. */
export interface KeptKey {
  /** First part of the key, which is no secret: it names the key in lists, logs and the audit log. */
  readonly id: string;
  /** SHA-256 of the whole key. It has 256 random bits, so there is nothing to guess and no salt. */
  readonly digest: Buffer;
}

const idBytes = 6;
const secretBytes = 32;

/** Bytes of randomness that `newApiKey` takes. */
export const apiKeyBytes = idBytes + secretBytes;

const shape = /^(ph[kt]_[0-9a-f]{12})_[A-Za-z0-9_-]{43}$/;

/**
 * `phk_<12 hex>_<43 base64url>` of the platform, `pht_…` of a tenant. The begin tells secret scanners what it is.
 * @param random `apiKeyBytes` of them, never used twice
 */
export function newApiKey(holder: 'operator' | 'tenant', random: Uint8Array): { readonly key: string } & KeptKey {
  if (random.length !== apiKeyBytes)
    throw new RangeError(`a key is made of ${apiKeyBytes} bytes, not ${random.length}`);
  const bytes = Buffer.from(random);
  const id = `${holder === 'operator' ? 'phk' : 'pht'}_${bytes.toString('hex', 0, idBytes)}`;
  const key = `${id}_${bytes.toString('base64url', idBytes)}`;
  return { key, id, digest: hash('sha256', key, 'buffer') };
}

/** What to look for among the kept keys; null: it is none of ours, and nothing has to be looked for. */
export function keptKeyOf(key: string): KeptKey | null {
  const id = shape.exec(key)?.[1];
  return id === undefined ? null : { id, digest: hash('sha256', key, 'buffer') };
}
