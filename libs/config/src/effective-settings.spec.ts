import { describe, expect, it } from 'vitest';
import { effectiveSettings } from './effective-settings.js';
import { parseConfig } from './load-config.js';
import { settings } from './settings.js';

const of = (env: Record<string, string>) =>
  Object.fromEntries(effectiveSettings(parseConfig(env), env).map((one) => [one.name, one]));

describe('effectiveSettings', () => {
  it('says of each setting what is in force, and whether somebody said so', () => {
    const all = of({ POSTHORN_API_PORT: '8420', POSTHORN_LOG_LEVEL: 'warn', POSTHORN_HOST: '' });
    expect(Object.keys(all)).toEqual(Object.values(settings).map(({ name }) => name));
    expect(all['POSTHORN_API_PORT']).toMatchObject({ value: 8_420, fallback: 8_420, source: 'environment' });
    expect(all['POSTHORN_LOG_LEVEL']).toMatchObject({ value: 'warn', fallback: 'info', source: 'environment' });
    expect(all['POSTHORN_HOST']).toMatchObject({ value: '127.0.0.1', source: 'default' });
    const started = effectiveSettings({ ...parseConfig({}), replicationFactor: 1 }, {});
    expect(started.find(({ name }) => name === 'POSTHORN_REPLICATION_FACTOR')).toMatchObject({ source: 'start' });
  });

  it('tells no secret, and no password in an address', () => {
    const secrets = {
      POSTHORN_OPERATOR_KEY: 'hush-hush-hush-hush',
      POSTHORN_MASTER_KEYS: '1:hush',
      DATABASE_URL: 'postgres://u:hush@h/d',
      POSTHORN_PROXY_URL: 'http://u:hush@proxy:3128',
      HTTPS_PROXY: 'http://u:hush@proxy:3128',
      KAFKA_PASSWORD: 'hush',
      SCHEMA_REGISTRY_URL: 'http://hush:hush@registry:8081/api',
    };
    const all = of(secrets);
    expect(JSON.stringify(all)).not.toContain('hush');
    for (const { name, secret } of Object.values(settings))
      if (secret) expect(all[name]).toMatchObject({ value: null, source: name in secrets ? 'environment' : 'default' });
    expect(all['SCHEMA_REGISTRY_URL']?.value).toBe('http://registry:8081/api');
  });
});
