import { decrypt, encrypt } from './aes-gcm.js';
import { masterKeyOf, newestVersion, type MasterKeys } from './master-keys.js';

/**
 * `e<version>.<data key, sealed by the master key>.<secret, sealed by the data key>`: each secret has a data key of its own,
 * so a new master key seals 32 bytes anew, and never touches the secret.
 */
const envelope = /^e(\d+)\.([A-Za-z0-9_-]{80})\.([A-Za-z0-9_-]+)$/;
const dataKeyBytes = 32;
const nonceBytes = 12;

export type RandomBytes = (count: number) => Uint8Array;

/**
 * Seals a secret in an envelope under the newest master key (AES-256-GCM twice). `context` (such as the endpoint's id) is
 * authenticated in both parts: neither opens at another endpoint.
 */
export function sealEnvelope(keys: MasterKeys, secret: string, context: string, random: RandomBytes): string {
  const dataKey = random(dataKeyBytes);
  const sealed = encrypt(dataKey, Buffer.from(secret, 'utf8'), context, random(nonceBytes));
  return `${sealDataKey(keys, dataKey, context, random)}.${sealed.toString('base64url')}`;
}

export const isEnvelope = (sealed: string): boolean => sealed.startsWith('e');

/** Opens what `sealEnvelope` made. Throws when the key's version is unknown, or key, context or text do not fit. */
export function openEnvelope(keys: MasterKeys, sealed: string, context: string): string {
  const { dataKey, secret } = dataKeyOf(keys, sealed, context);
  return decrypt(dataKey, Buffer.from(secret, 'base64url'), context).toString('utf8');
}

/** Seals the data key anew with the newest master key. The sealed secret stays as it is. Throws as `openEnvelope`. */
export function resealEnvelope(keys: MasterKeys, sealed: string, context: string, random: RandomBytes): string {
  const { dataKey, secret } = dataKeyOf(keys, sealed, context);
  return `${sealDataKey(keys, dataKey, context, random)}.${secret}`;
}

function sealDataKey(keys: MasterKeys, dataKey: Uint8Array, context: string, random: RandomBytes): string {
  const version = newestVersion(keys);
  const sealed = encrypt(masterKeyOf(keys, version), dataKey, keyContext(context), random(nonceBytes));
  return `e${version}.${sealed.toString('base64url')}`;
}

function dataKeyOf(
  keys: MasterKeys,
  sealed: string,
  context: string,
): { readonly dataKey: Buffer; readonly secret: string } {
  const [, version, dataKey = '', secret = ''] = envelope.exec(sealed) ?? [];
  if (version === undefined) throw new RangeError('not a sealed secret');
  const key = masterKeyOf(keys, Number(version));
  return { dataKey: decrypt(key, Buffer.from(dataKey, 'base64url'), keyContext(context)), secret };
}

/** A data key is never taken for a secret that the master key has sealed directly. */
const keyContext = (context: string): string => `data key of ${context}`;
