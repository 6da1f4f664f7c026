import { ConfigFault } from './setting.js';
import { crossRules, settings, type Settings } from './settings.js';

/** What every app is given; read once at its start. */
export type Config = Settings;

/** All that is wrong with the configuration, one line a fault. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  constructor(readonly faults: readonly string[]) {
    super(
      `the configuration has ${faults.length} fault${faults.length === 1 ? '' : 's'}:\n${faults.map((f) => `  ${f}`).join('\n')}`,
    );
  }
}

/**
 * Reads all settings. An empty variable counts as not set.
 * @param required settings that this process cannot do without
 * @throws ConfigError that lists every fault at once, and every POSTHORN_ variable that nobody knows
 */
export function parseConfig(
  env: Readonly<Record<string, string | undefined>>,
  required: readonly (keyof Settings)[] = [],
): Config {
  const faults: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [key, setting] of Object.entries(settings)) {
    const given = env[setting.name];
    values[key] = setting.fallback;
    if (given === undefined || given === '') continue;
    try {
      values[key] = setting.parse(given);
    } catch (error) {
      if (!(error instanceof ConfigFault)) throw error;
      faults.push(`${setting.name} ${error.message}`);
    }
  }
  const known = new Set(Object.values(settings).map(({ name }) => name as string));
  for (const name of Object.keys(env)) {
    if (name.startsWith('POSTHORN_') && !known.has(name))
      faults.push(`${name} is not a setting: see docs/configuration.md`);
  }
  const config = values as unknown as Config;
  for (const key of required) {
    const setting = settings[key];
    const given = env[setting.name];
    if (given === undefined || given === '') faults.push(`${setting.name} must be set: ${setting.sentence}`);
  }
  if (faults.length === 0) faults.push(...crossRules.map((rule) => rule(config)).filter((fault) => fault !== null));
  if (faults.length > 0) throw new ConfigError(faults);
  return config;
}

/** `parseConfig` of this process's environment: the one place that reads it. */
export function loadConfig(required: readonly (keyof Settings)[] = []): Config {
  return parseConfig(process.env, required);
}

/** The environment for a child process: this process's own with `changes` laid over it. */
export function childEnvironment(changes: Readonly<Record<string, string>>): Record<string, string | undefined> {
  return { ...process.env, ...changes };
}
