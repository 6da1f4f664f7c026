import { randomBytes } from 'node:crypto';
import { defaultPorts } from '#libs/core';
import { isAllowedRange, isNameServer, isPortRange } from './network-entries.js';
import { boolean, choice, count, duration, list, number, pemFile, port, text, type Setting } from './setting.js';

/**
 * Every setting of Posthorn: name, type, default, sentence. The one place; `docs/configuration.md` is generated from it.
 * Durations are milliseconds, sizes bytes.
 */
export const settings = {
  kafkaBrokers: list(
    'KAFKA_BROKERS',
    [],
    'Kafka brokers, `host:port`, comma-separated. `npm start` and `npm run demo` start their own where it is not set.',
  ),
  kafkaTls: boolean('KAFKA_TLS', false, 'Speak TLS to the brokers.'),
  kafkaCa: pemFile(
    'KAFKA_CA',
    'Authorities that sign the certificates of the brokers, where they are not public ones.',
  ),
  kafkaCertificate: pemFile('KAFKA_CERTIFICATE', 'Client certificate for the brokers, with what it was signed by.'),
  kafkaKey: pemFile('KAFKA_KEY', 'Private key of the client certificate.'),
  kafkaSaslMechanism: choice(
    'KAFKA_SASL_MECHANISM',
    ['none', 'plain', 'scram-sha-256', 'scram-sha-512'],
    'none',
    'How to log in to the brokers.',
  ),
  kafkaUsername: text('KAFKA_USERNAME', '', 'User for SASL.'),
  kafkaPassword: text('KAFKA_PASSWORD', '', 'Password for SASL.', { secret: true }),
  schemaRegistryUrl: text(
    'SCHEMA_REGISTRY_URL',
    '',
    'Schema registry with the Confluent API, for example `http://registry:8081` or `https://user:password@registry`.',
    { url: ['http', 'https'] },
  ),
  schemaRegistryCa: pemFile('SCHEMA_REGISTRY_CA', 'Authorities that sign the certificate of the schema registry.'),
  databaseUrl: text(
    'DATABASE_URL',
    '',
    'PostgreSQL 15 or later, for example `postgres://user:password@host:5432/posthorn`; with `?sslmode=verify-full&sslrootcert=<file>` over TLS.',
    { secret: true, url: ['postgres', 'postgresql'] },
  ),

  host: text('POSTHORN_HOST', '127.0.0.1', 'Address that the HTTP servers listen on.'),
  apiPort: port('POSTHORN_API_PORT', 8420, 'REST API. 0 takes a free port and logs it.'),
  dispatcherPort: port('POSTHORN_DISPATCHER_PORT', 8421, 'Health and metrics of a dispatcher. 0: a free one.'),
  workerPort: port('POSTHORN_WORKER_PORT', 8422, 'Health and metrics of a worker. 0: a free one.'),
  projectorPort: port('POSTHORN_PROJECTOR_PORT', 8423, 'Health and metrics of a projector. 0: a free one.'),
  logLevel: choice(
    'POSTHORN_LOG_LEVEL',
    ['debug', 'info', 'warn', 'error', 'silent'],
    'info',
    'Least severe log line that is written.',
  ),
  dataDir: text(
    'POSTHORN_DATA_DIR',
    '.posthorn/data',
    'Where the embedded runtime keeps its data, and the keys that were made at the first start.',
  ),

  operatorKey: text(
    'POSTHORN_OPERATOR_KEY',
    '',
    'Bearer key of the REST API, at least 16 characters. `npm start` makes one.',
    { secret: true, minLength: 16 },
  ),
  masterKeys: text(
    'POSTHORN_MASTER_KEYS',
    '',
    'Keys that seal endpoint secrets: `<version>:<base64 of 32 bytes>`, comma-separated; the highest version seals. `npm start` makes one.',
    { secret: true },
  ),
  apiRateLimit: count(
    'POSTHORN_API_RATE_LIMIT',
    60_000,
    'Requests per minute that a key may make of each process of the api, beside `POST /v1/events`. 0: no limit.',
    { least: 0, most: 1_000_000_000 },
  ),
  ingestRateLimit: count('POSTHORN_INGEST_RATE_LIMIT', 6_000_000, 'The same for `POST /v1/events`.', {
    least: 0,
    most: 1_000_000_000,
  }),
  allowHttp: boolean('POSTHORN_ALLOW_HTTP', false, 'Whether endpoints may have `http:` URLs (docs/security.md).'),
  allowedRanges: list(
    'POSTHORN_ALLOWED_RANGES',
    [],
    'Addresses and CIDR ranges that endpoints may be at although they are loopback, private or otherwise special. `none`: none of them, also where `npm start` would open loopback.',
    { each: isAllowedRange },
  ),
  allowedPorts: list(
    'POSTHORN_ALLOWED_PORTS',
    defaultPorts,
    'Ports that endpoints may listen on: `443` or `1024-65535`, comma-separated.',
    { each: isPortRange },
  ),
  dnsServers: list(
    'POSTHORN_DNS_SERVERS',
    [],
    "Name servers that know where endpoints are, `address` or `address:port`. Without it the machine's own, and for names that they do not know the operating system.",
    { each: isNameServer },
  ),
  proxyUrl: text('POSTHORN_PROXY_URL', '', 'Forward proxy for all deliveries: `http://user:password@host:port`.', {
    secret: true,
    url: ['http', 'https'],
  }),
  httpsProxy: text('HTTPS_PROXY', '', 'The same for `https:` endpoints alone, where POSTHORN_PROXY_URL is not set.', {
    secret: true,
    url: ['http', 'https'],
  }),
  noProxy: list('NO_PROXY', [], 'Names, addresses and CIDR ranges that are reached without the proxy; `*`: all.'),

  verification: choice(
    'POSTHORN_VERIFICATION',
    ['off', 'handshake', 'challenge', 'any'],
    'off',
    'What new endpoints, and those with a new URL, must pass before they get anything; `any`: a method of their choice (docs/endpoint-verification.md).',
  ),
  webhookOrigin: text(
    'POSTHORN_WEBHOOK_ORIGIN',
    'posthorn',
    'DNS name that stands for this deployment in `WebHook-Request-Origin`.',
    { pattern: /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i },
  ),
  publicUrl: text(
    'POSTHORN_PUBLIC_URL',
    '',
    'Where receivers reach the REST API, for example `https://hooks.example.com`; without it handshakes offer no callback.',
    { url: ['http', 'https'] },
  ),

  topicPrefix: text('POSTHORN_TOPIC_PREFIX', 'posthorn', 'First part of every topic and group name.', {
    pattern: /^[A-Za-z0-9._-]{1,100}$/,
  }),
  eventPartitions: count('POSTHORN_EVENT_PARTITIONS', 12, 'Partitions of the events topic; fixed once it exists.', {
    least: 1,
    most: 1_000,
  }),
  deliveryPartitions: count(
    'POSTHORN_DELIVERY_PARTITIONS',
    12,
    'Partitions of deliveries, retries and attempts; fixed once they exist.',
    { least: 1, most: 1_000 },
  ),
  replicationFactor: count('POSTHORN_REPLICATION_FACTOR', 3, 'Copies of each partition (1 in the embedded runtime).', {
    least: 1,
    most: 10,
  }),
  minInSyncReplicas: count(
    'POSTHORN_MIN_INSYNC_REPLICAS',
    2,
    'Copies that must have a record before it counts as accepted (1 in the embedded runtime).',
    { least: 1, most: 10 },
  ),
  sessionTimeoutMs: duration(
    'POSTHORN_SESSION_TIMEOUT_MS',
    10_000,
    'How long a process may be silent before its partitions go to another.',
    { least: 6_000, most: 300_000 },
  ),

  eventsDir: text(
    'POSTHORN_EVENTS_DIR',
    'schemas/events',
    'Folder with the Avro schemas of the events and what is said of them (owner, status, examples); relative to the project.',
  ),
  maxEventBytes: count('POSTHORN_MAX_EVENT_BYTES', 262_144, 'Largest event that is accepted.', {
    least: 1_024,
    most: 900_000,
  }),
  deliveryLogDays: count(
    'POSTHORN_DELIVERY_LOG_DAYS',
    90,
    'How long deliveries, attempts and dead letters can be looked up, from the acceptance of their event (docs/operations.md).',
    { least: 1, most: 3_650 },
  ),
  statsDays: count('POSTHORN_STATS_DAYS', 400, 'How long figures by the hour can be asked for (GET /v1/stats).', {
    least: 1,
    most: 3_650,
  }),
  repeatWindow: count(
    'POSTHORN_REPEAT_WINDOW',
    100_000,
    'An event is a repeat if one of the same tenant, source and id stands among so many records before it in its partition.',
    { least: 0, most: 10_000_000 },
  ),
  ingestTimeoutMs: duration(
    'POSTHORN_INGEST_TIMEOUT_MS',
    5_000,
    'How long POST /v1/events, or another request that needs the log, waits for the brokers before it answers 503.',
    { least: 100, most: 60_000 },
  ),

  testTimeoutMs: duration(
    'POSTHORN_TEST_TIMEOUT_MS',
    30_000,
    'How long `POST /v1/endpoints/{id}/test` waits for what the endpoint answers before it answers 504 itself.',
    { least: 100, most: 300_000 },
  ),

  maxInFlight: count('POSTHORN_MAX_IN_FLIGHT', 512, 'POSTs that one worker has on their way at once.', {
    least: 1,
    most: 65_536,
  }),
  endpointMaxInFlight: count('POSTHORN_ENDPOINT_MAX_IN_FLIGHT', 16, 'Default for POSTs on their way to one endpoint.', {
    least: 1,
    most: 1_024,
  }),
  endpointTimeoutMs: duration(
    'POSTHORN_ENDPOINT_TIMEOUT_MS',
    15_000,
    'Default for the time that one request may take.',
    { least: 100, most: 120_000 },
  ),
  laneRecords: count(
    'POSTHORN_LANE_RECORDS',
    1_000,
    'Deliveries that wait in memory for one endpoint before the rest spills to a retry topic. Dispatchers catch up no further.',
    { least: 1, most: 1_000_000 },
  ),
  laneBytes: count('POSTHORN_LANE_BYTES', 8_388_608, 'The same bound in bytes.', { least: 1_024, most: 1_073_741_824 }),
  retryDelaysMs: list(
    'POSTHORN_RETRY_DELAYS_MS',
    ['5000', '300000', '1800000', '7200000', '18000000', '36000000', '50400000', '72000000', '86400000'],
    'Default waits before the 2nd, 3rd, … attempt, in milliseconds (Standard Webhooks).',
    { each: /^\d{1,10}$/ },
  ),
  retryJitter: number('POSTHORN_RETRY_JITTER', 0.2, 'Default share by which a wait varies, both ways.', {
    least: 0,
    most: 1,
  }),
} as const satisfies Record<string, Setting<unknown>>;

export type Settings = {
  readonly [K in keyof typeof settings]: (typeof settings)[K] extends Setting<infer T> ? T : never;
};

/** Rules that concern several settings; each returns a complaint or null. */
export const crossRules: readonly ((s: Settings) => string | null)[] = [
  (s) =>
    s.minInSyncReplicas > s.replicationFactor
      ? `POSTHORN_MIN_INSYNC_REPLICAS (${s.minInSyncReplicas}) cannot exceed POSTHORN_REPLICATION_FACTOR (${s.replicationFactor})`
      : null,
  (s) =>
    s.kafkaSaslMechanism !== 'none' && (s.kafkaUsername === '' || s.kafkaPassword === '')
      ? `KAFKA_SASL_MECHANISM=${s.kafkaSaslMechanism} needs KAFKA_USERNAME and KAFKA_PASSWORD`
      : null,
  (s) =>
    !s.kafkaTls && (s.kafkaCa !== '' || s.kafkaCertificate !== '')
      ? 'KAFKA_CA and KAFKA_CERTIFICATE say nothing without KAFKA_TLS=true'
      : null,
  (s) =>
    (s.kafkaCertificate === '') !== (s.kafkaKey === '') ? 'KAFKA_CERTIFICATE and KAFKA_KEY need each other' : null,
  (s) =>
    s.schemaRegistryCa !== '' && !s.schemaRegistryUrl.startsWith('https:')
      ? 'SCHEMA_REGISTRY_CA says nothing without an https: SCHEMA_REGISTRY_URL'
      : null,
  (s) =>
    s.endpointMaxInFlight > s.maxInFlight
      ? `POSTHORN_ENDPOINT_MAX_IN_FLIGHT (${s.endpointMaxInFlight}) cannot exceed POSTHORN_MAX_IN_FLIGHT (${s.maxInFlight})`
      : null,
];

/** A fresh operator key, for those who start without one. */
export const newOperatorKey = (): string => `pk_${randomBytes(24).toString('base64url')}`;
/** A fresh master key of version 1. */
export const newMasterKeys = (): string => `1:${randomBytes(32).toString('base64')}`;
