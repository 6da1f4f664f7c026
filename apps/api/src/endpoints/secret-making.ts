import {
  formatPrivateKey,
  formatSecret,
  parsePrivateKey,
  parseSecret,
  publicKeyOf,
  sealEnvelope,
  secretKindOf,
  type MasterKeys,
  type SecretKind,
} from '#libs/core';
import type { StoredSecret } from '#libs/persistence';

export interface SecretMaking {
  readonly masterKeys: MasterKeys;
  readonly now: () => number;
  readonly newId: () => string;
  readonly randomBytes: (count: number) => Buffer;
}

/** A secret, sealed for its endpoint, and in plain text: to be shown once, and kept nowhere. */
export interface MadeSecret {
  readonly stored: StoredSecret;
  readonly plain: string;
}

/** Of a shared secret, and of a key pair's seed. */
const secretBytes = 32;

/** @param given an imported one that was checked (`secretFault`), or the kind of a new one */
export function makeSecret(
  { masterKeys, now, newId, randomBytes }: SecretMaking,
  endpointId: string,
  given: { readonly secret: string } | { readonly kind: SecretKind },
): MadeSecret {
  const plain = 'secret' in given ? inOneForm(given.secret) : newSecret(given.kind, randomBytes(secretBytes));
  const kind = secretKindOf(plain);
  const stored = {
    secretId: `sec_${newId()}`,
    kind,
    ciphertext: sealEnvelope(masterKeys, plain, endpointId, randomBytes),
    publicKey: kind === 'ed25519' ? publicKeyOf(plain) : null,
    createdAt: now(),
    expiresAt: null,
  };
  return { stored, plain };
}

/** The same bytes, always written alike: with padding, a private key with its public one. */
export const inOneForm = (secret: string): string =>
  secretKindOf(secret) === 'ed25519' ? formatPrivateKey(parsePrivateKey(secret)) : formatSecret(parseSecret(secret));

const newSecret = (kind: SecretKind, bytes: Buffer): string =>
  kind === 'ed25519' ? formatPrivateKey(bytes) : formatSecret(bytes);
