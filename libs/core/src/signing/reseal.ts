import { newestVersion, type MasterKeys } from './master-keys.js';
import { openSecret } from './secret-box.js';
import { isEnvelope, resealEnvelope, sealEnvelope, type RandomBytes } from './secret-envelope.js';

/** The beginning of everything that is sealed as it should be now, dot included; for a look at a whole table. */
export const newestSeal = (keys: MasterKeys): string => `e${newestVersion(keys)}.`;

/**
 * The same secret under the newest master key; what is so already comes back as it is. Secrets that a master key has sealed
 * directly, as Posthorn once did, get an envelope. Throws as `openSecret`.
 */
export function reseal(keys: MasterKeys, sealed: string, context: string, random: RandomBytes): string {
  if (sealed.startsWith(newestSeal(keys))) return sealed;
  return isEnvelope(sealed)
    ? resealEnvelope(keys, sealed, context, random)
    : sealEnvelope(keys, openSecret(keys, sealed, context), context, random);
}

/** Version of the master key that a secret needs; null: it is not sealed as we do. */
export function masterKeyVersionOf(sealed: string): number | null {
  const [, version] = /^[ve](\d+)\./.exec(sealed) ?? [];
  return version === undefined ? null : Number(version);
}
