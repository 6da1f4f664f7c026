import type { Config } from './load-config.js';
import type { Setting } from './setting.js';
import { settings } from './settings.js';

type Value = string | number | boolean | readonly string[];

/** A setting as it is in force in a process. */
export interface EffectiveSetting {
  /** Of the environment variable. */
  readonly name: string;
  readonly sentence: string;
  /** Null where it is secret, whether it is set or not. */
  readonly value: Value | null;
  readonly fallback: Value | null;
  readonly secret: boolean;
  /** Where the value comes from; `start`: Posthorn found it itself, as `npm start` does for what it runs. */
  readonly source: 'environment' | 'default' | 'start';
}

/** All of them, in the order of docs/configuration.md, without what is secret: also not where it is part of a URL. */
export function effectiveSettings(
  config: Config,
  env: Readonly<Record<string, string | undefined>> = process.env,
): readonly EffectiveSetting[] {
  return Object.entries<Setting<unknown>>(settings).map(([key, { name, sentence, secret, fallback }]) => {
    const value = config[key as keyof Config];
    const isDefault = JSON.stringify(value) === JSON.stringify(fallback);
    return {
      name,
      sentence,
      secret,
      value: secret ? null : withoutPassword(value),
      fallback: secret ? null : (fallback as Value),
      source: (env[name] ?? '') !== '' ? 'environment' : isDefault ? 'default' : 'start',
    };
  });
}

function withoutPassword(value: Value): Value {
  if (typeof value === 'object') return value.map((one) => String(withoutPassword(one)));
  const url = typeof value === 'string' && value.includes('@') ? URL.parse(value) : null;
  if (url === null || (url.username === '' && url.password === '')) return value;
  [url.username, url.password] = ['', ''];
  return url.href;
}
