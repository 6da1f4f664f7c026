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

/** The version that seals. Throws a RangeError when there is none. */
export function newestVersion(keys: MasterKeys): number {
  if (keys.size === 0) throw new RangeError('there is no master key');
  return Math.max(...keys.keys());
}

/** Throws a RangeError that says which version is missing. */
export function masterKeyOf(keys: MasterKeys, version: number): Uint8Array {
  const key = keys.get(version);
  if (!key) throw new RangeError(`no master key of version ${version}: add it to POSTHORN_MASTER_KEYS`);
  return key;
}
