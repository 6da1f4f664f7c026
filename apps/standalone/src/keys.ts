import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { newMasterKeys, newOperatorKey } from '#libs/config';

/** What a newcomer has not set: made once, kept beside the data that they protect, readable by the owner alone. */
export interface StandaloneKeys {
  readonly operatorKey: string;
  readonly masterKeys: string;
}

/** Reads `keys.json` in the data folder, or makes it at the first start. */
export function standaloneKeys(dataDir: string): StandaloneKeys {
  const file = join(dataDir, 'keys.json');
  if (existsSync(file)) {
    const kept = JSON.parse(readFileSync(file, 'utf8')) as Partial<StandaloneKeys>;
    if (typeof kept.operatorKey === 'string' && typeof kept.masterKeys === 'string') {
      return { operatorKey: kept.operatorKey, masterKeys: kept.masterKeys };
    }
    throw new Error(
      `${file} does not hold operatorKey and masterKeys: restore it, or remove it together with the data`,
    );
  }
  const keys = { operatorKey: newOperatorKey(), masterKeys: newMasterKeys() };
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(keys, null, 2)}\n`, { mode: 0o600 });
  return keys;
}
