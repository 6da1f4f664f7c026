import { createPrivateKey, createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';

/** `hmac`: shared, signs as `v1`. `ed25519`: a key pair, signs as `v1a`; receivers only know its public key. */
export type SecretKind = 'hmac' | 'ed25519';

const secretPrefix = 'whsec_';
const privatePrefix = 'whsk_';
const publicPrefix = 'whpk_';
const seedBytes = 32;

/** @returns `whsec_` + base64 of 24 to 64 random bytes (Standard Webhooks 1.0.0, signature scheme). */
export function formatSecret(bytes: Uint8Array): string {
  if (bytes.length < 24 || bytes.length > 64) {
    throw new RangeError(`a webhook secret has 24 to 64 bytes, not ${bytes.length}`);
  }
  return secretPrefix + Buffer.from(bytes).toString('base64');
}

/**
 * @param seed 32 random bytes
 * @returns `whsk_` + base64 of the seed and the public key, as Standard Webhooks implementations keep private keys
 */
export function formatPrivateKey(seed: Uint8Array): string {
  return privatePrefix + Buffer.concat([seed, rawPublicKey(privateKey(seed))]).toString('base64');
}

/** The key's bytes. Accepts the secret with or without its prefix; throws a RangeError on anything else. */
export function parseSecret(secret: string): Buffer {
  const bytes = parsed(secret.startsWith(secretPrefix) ? secret.slice(secretPrefix.length) : secret);
  if (bytes === null || bytes.length < 24 || bytes.length > 64) {
    throw new RangeError('not a webhook secret: expected whsec_ and the base64 of 24 to 64 bytes');
  }
  return bytes;
}

/** The seed of a `whsk_` key: of 32 bytes, or of 64 that end with the public key. Throws a RangeError on anything else. */
export function parsePrivateKey(text: string): Buffer {
  const bytes = text.startsWith(privatePrefix) ? parsed(text.slice(privatePrefix.length)) : null;
  const seed = bytes?.subarray(0, seedBytes);
  const rest = bytes?.subarray(seedBytes);
  if (seed?.length !== seedBytes || (rest?.length !== 0 && !rest?.equals(rawPublicKey(privateKey(seed))))) {
    throw new RangeError(
      'not a private key: expected whsk_ and the base64 of 32 bytes, or of those and their public key',
    );
  }
  return seed;
}

export const secretKindOf = (secret: string): SecretKind => (secret.startsWith(privatePrefix) ? 'ed25519' : 'hmac');

/**
 * The key that signs, made once: signing with it costs a fifth of signing with its bytes. Takes `whsec_` and `whsk_`;
 * throws as `parseSecret` and `parsePrivateKey`.
 */
export const signingKey = (secret: string): KeyObject =>
  secretKindOf(secret) === 'ed25519' ? privateKey(parsePrivateKey(secret)) : createSecretKey(parseSecret(secret));

/** `whpk_` + base64 of the public key that belongs to a `whsk_` key. */
export const publicKeyOf = (secret: string): string =>
  publicPrefix + rawPublicKey(privateKey(parsePrivateKey(secret))).toString('base64');

/** A `whpk_` key, for verifying. Throws a RangeError on anything else. */
export function parsePublicKey(text: string): KeyObject {
  return createPublicKey({ key: publicJwk(text), format: 'jwk' });
}

/** The same as a JSON Web Key (RFC 8037). */
export function publicJwk(text: string): { readonly kty: 'OKP'; readonly crv: 'Ed25519'; readonly x: string } {
  const bytes = text.startsWith(publicPrefix) ? parsed(text.slice(publicPrefix.length)) : null;
  if (bytes?.length !== seedBytes) throw new RangeError('not a public key: expected whpk_ and the base64 of 32 bytes');
  return { kty: 'OKP', crv: 'Ed25519', x: bytes.toString('base64url') };
}

/**
 * What is wrong with a secret that somebody else has made; null: nothing. Says nothing of what is in it. Random bytes are
 * never found weak: 24 of them with fewer than 8 values, or steps, do not occur.
 */
export function secretFault(text: string): string | null {
  if (!text.startsWith(secretPrefix) && !text.startsWith(privatePrefix)) return 'Must begin with whsec_ or whsk_';
  const isPrivate = secretKindOf(text) === 'ed25519';
  try {
    const bytes = isPrivate ? parsePrivateKey(text) : parseSecret(text);
    return isWeak(bytes) ? 'Must be random: its bytes repeat, or follow a pattern' : null;
  } catch {
    return isPrivate
      ? 'Must be whsk_ and the base64 of 32 bytes, or of those and their public key'
      : 'Must be whsec_ and the base64 of 24 to 64 bytes';
  }
}

function isWeak(bytes: Buffer): boolean {
  const steps = new Set<number>();
  for (let i = 1; i < bytes.length; i += 1) steps.add((256 + (bytes[i] ?? 0) - (bytes[i - 1] ?? 0)) % 256);
  return Math.min(new Set(bytes).size, steps.size) < 8;
}

/** Base64 with or without its padding, and nothing else; null otherwise. */
function parsed(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64').replace(/=+$/, '') === text.replace(/=+$/, '') ? bytes : null;
}

/** What stands before the 32 bytes of a seed in PKCS #8 (RFC 8410). */
const pkcs8 = Buffer.from('302e020100300506032b657004220420', 'hex');

function privateKey(seed: Uint8Array): KeyObject {
  if (seed.length !== seedBytes) throw new RangeError(`a seed has ${seedBytes} bytes, not ${seed.length}`);
  return createPrivateKey({ key: Buffer.concat([pkcs8, seed]), format: 'der', type: 'pkcs8' });
}

const rawPublicKey = (key: KeyObject): Buffer =>
  Buffer.from(createPublicKey(key).export({ format: 'jwk' }).x ?? '', 'base64url');
