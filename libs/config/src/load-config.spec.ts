import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { documentSettings } from './document.js';
import { ConfigError, parseConfig } from './load-config.js';
import { projectRoot } from './project-root.js';
import { settings } from './settings.js';

const faultsOf = (env: Record<string, string>, required: Parameters<typeof parseConfig>[1] = []): readonly string[] => {
  try {
    parseConfig(env, required);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
};

describe('parseConfig', () => {
  it('gives every default for an empty environment, and takes an empty variable for one that is not set', () => {
    expect(parseConfig({ POSTHORN_API_PORT: '' }).apiPort).toBe(8420);
    expect(parseConfig({}).retryDelaysMs).toHaveLength(9);
  });

  it('lists every mistake at once, each with its name, the reason and what was given', () => {
    const faults = faultsOf(
      {
        POSTHORN_API_PORT: '99999',
        POSTHORN_LOG_LEVEL: 'loud',
        POSTHORN_RETRY_JITTER: 'much',
        SCHEMA_REGISTRY_URL: 'ftp://x',
        KAFKA_TLS: 'yes',
        POSTHORN_RETRY_DELAYS_MS: '5,-1',
        POSTHORN_TYPO: '1',
      },
      ['databaseUrl'],
    );
    expect(faults).toEqual([
      'KAFKA_TLS must be true or false, not "yes"',
      'SCHEMA_REGISTRY_URL must be a URL that begins with http:// or https://, not "ftp://x"',
      'POSTHORN_API_PORT must be a whole number from 0 to 65535, not "99999"',
      'POSTHORN_LOG_LEVEL must be one of debug, info, warn, error, silent, not "loud"',
      'POSTHORN_RETRY_DELAYS_MS has an entry that does not fit: "-1"',
      'POSTHORN_RETRY_JITTER must be a number from 0 to 1, not "much"',
      'POSTHORN_TYPO is not a setting: see docs/configuration.md',
      `DATABASE_URL must be set: ${settings.databaseUrl.sentence}`,
    ]);
  });

  it('never repeats a secret in its message', () => {
    expect(faultsOf({ POSTHORN_OPERATOR_KEY: 'hush' }).join()).not.toContain('hush');
    expect(faultsOf({ DATABASE_URL: 'mysql://u:hush@h/d' }).join()).not.toContain('hush');
    expect(faultsOf({ SCHEMA_REGISTRY_URL: 'ftp://u:hush@registry/x' })).toEqual([
      'SCHEMA_REGISTRY_URL must be a URL that begins with http:// or https://, not "ftp://registry/x"',
    ]);
  });

  it('takes certificates from files in PEM, and says which of them are missing, or say nothing', () => {
    const pem = join(mkdtempSync(join(tmpdir(), 'posthorn-pem-')), 'it.pem');
    writeFileSync(pem, '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n');
    onTestFinished(() => rmSync(dirname(pem), { recursive: true }));
    const tls = { KAFKA_TLS: 'true', KAFKA_CA: pem, KAFKA_CERTIFICATE: pem, KAFKA_KEY: pem };
    const { kafkaTls, kafkaCa, kafkaCertificate, kafkaKey } = parseConfig(tls);
    expect({ kafkaTls, kafkaCa, kafkaCertificate, kafkaKey }).toEqual({
      kafkaTls: true,
      kafkaCa: pem,
      kafkaCertificate: pem,
      kafkaKey: pem,
    });
    expect(faultsOf({ KAFKA_CA: `${pem}.gone`, KAFKA_KEY: join(projectRoot(), 'package.json') })).toEqual([
      expect.stringMatching(/^KAFKA_CA names a file that cannot be read: ENOENT/),
      expect.stringMatching(/^KAFKA_KEY names a file that holds nothing in PEM: .*package\.json$/),
    ]);
    expect(faultsOf({ ...tls, KAFKA_KEY: '' })).toEqual(['KAFKA_CERTIFICATE and KAFKA_KEY need each other']);
    expect(faultsOf({ ...tls, KAFKA_TLS: 'false' })[0]).toContain('without KAFKA_TLS=true');
    const registry = { SCHEMA_REGISTRY_CA: pem, SCHEMA_REGISTRY_URL: 'http://registry:8081' };
    expect(faultsOf(registry)[0]).toContain('without an https: SCHEMA_REGISTRY_URL');
    expect(faultsOf({ KAFKA_SASL_MECHANISM: 'scram-sha-512', KAFKA_USERNAME: 'u' })[0]).toContain('KAFKA_PASSWORD');
  });

  it('is strict about where it sends to, unless it is told otherwise', () => {
    const { allowHttp, allowedRanges, allowedPorts, dnsServers, proxyUrl, noProxy } = parseConfig({});
    expect({ allowHttp, allowedRanges, dnsServers, proxyUrl, noProxy }).toEqual({
      allowHttp: false,
      allowedRanges: [],
      dnsServers: [],
      proxyUrl: '',
      noProxy: [],
    });
    expect(allowedPorts).toEqual(['80', '443', '1024-65535']);
  });

  it('takes ranges, ports and name servers, and nothing that is none', () => {
    expect(
      faultsOf({
        POSTHORN_ALLOWED_RANGES: '10.0.0.0/8, fd00::/8, 127.0.0.1',
        POSTHORN_ALLOWED_PORTS: '443,8000-8999',
        POSTHORN_DNS_SERVERS: '10.0.0.2,10.0.0.2:53,fd00::2,[fd00::2]:53,[fd00::2]',
      }),
    ).toEqual([]);
    const wrong = {
      POSTHORN_ALLOWED_RANGES: '10.0.0.1/8',
      POSTHORN_ALLOWED_PORTS: '70000',
      POSTHORN_DNS_SERVERS: 'dns.example',
    };
    expect(faultsOf(wrong)).toEqual(
      Object.entries(wrong).map(([name, value]) => `${name} has an entry that does not fit: "${value}"`),
    );
  });

  it('checks the rules between settings', () => {
    expect(faultsOf({ POSTHORN_MIN_INSYNC_REPLICAS: '3', POSTHORN_REPLICATION_FACTOR: '1' })).toHaveLength(1);
    expect(faultsOf({ KAFKA_SASL_MECHANISM: 'plain' })).toHaveLength(1);
  });

  it('documents every setting', () => {
    const text = documentSettings();
    for (const setting of Object.values(settings)) expect(text).toContain(`| \`${setting.name}\` |`);
  });
});
