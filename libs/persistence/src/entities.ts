import { EntitySchema, type ValueTransformer } from 'typeorm';
import type {
  BatchConfig,
  CircuitConfig,
  EndpointCompression,
  EndpointFormat,
  EndpointOrdering,
  EndpointState,
  OnExhausted,
  RateLimit,
  RetryJitter,
  RetryKind,
} from '#libs/contracts';
import type { EndpointVerification, SecretKind } from '#libs/core';
import type { ShownCredentials } from './endpoint.js';

export interface TenantRow {
  id: string;
  name: string;
  createdAt: number;
  updatedAt: number;
}

export interface EndpointRow {
  id: string;
  tenantId: string;
  url: string;
  eventTypes: string[];
  description: string;
  state: EndpointState;
  disabledReason: string | null;
  ordering: EndpointOrdering;
  onExhausted: OnExhausted;
  maxInFlight: number;
  adaptiveConcurrency: boolean;
  rateLimit: RateLimit | null;
  circuit: CircuitConfig | null;
  timeoutMs: number;
  retryKind: RetryKind;
  retryDelaysMs: number[];
  retryBaseMs: number;
  retryFactor: number;
  retryMaxAttempts: number;
  retryJitterKind: RetryJitter;
  retryJitter: number;
  retryMaxDelayMs: number;
  retryMaxTotalMs: number | null;
  backfill: string | null;
  filters: string | null;
  versions: Record<string, number>;
  latestByDefault: boolean;
  format: EndpointFormat;
  headers: Record<string, string>;
  compression: EndpointCompression;
  batch: BatchConfig | null;
  transformationId: string | null;
  sealedAuthentication: string | null;
  authentication: ShownCredentials['authentication'];
  sealedClientCertificate: string | null;
  clientCertificate: ShownCredentials['clientCertificate'];
  caPem: string | null;
  caCertificates: ShownCredentials['caCertificates'];
  verification: EndpointVerification | null;
  revision: number;
  createdAt: number;
  updatedAt: number;
}

export interface EndpointSecretRow {
  endpointId: string;
  id: string;
  /** Order among the endpoint's secrets. */
  place: number;
  kind: SecretKind;
  ciphertext: string;
  publicKey: string | null;
  createdAt: number;
  expiresAt: number | null;
}

/** Unix milliseconds in the code, timestamptz in the table. */
const millis: ValueTransformer = {
  to: (value: number | null | undefined) => (typeof value === 'number' ? new Date(value) : value),
  from: (value: Date | null) => value?.getTime() ?? null,
};
/** bigint arrives as text, because it may exceed 2^53; ours do not. */
const bigint: ValueTransformer = {
  to: (value: unknown) => value,
  from: (value: string | null) => (value === null ? null : Number(value)),
};
const bigints: ValueTransformer = { to: (value: unknown) => value, from: (value: string[]) => value.map(Number) };

const time = { type: 'timestamptz', precision: 3, transformer: millis } as const;

export const tenantEntity = new EntitySchema<TenantRow>({
  name: 'Tenant',
  tableName: 'tenants',
  columns: {
    id: { type: 'text', primary: true },
    name: { type: 'text' },
    createdAt: { ...time, name: 'created_at' },
    updatedAt: { ...time, name: 'updated_at' },
  },
});

export const endpointEntity = new EntitySchema<EndpointRow>({
  name: 'Endpoint',
  tableName: 'endpoints',
  columns: {
    id: { type: 'text', primary: true },
    tenantId: { type: 'text', name: 'tenant_id' },
    url: { type: 'text' },
    eventTypes: { type: 'text', array: true, name: 'event_types' },
    description: { type: 'text' },
    state: { type: 'text' },
    disabledReason: { type: 'text', nullable: true, name: 'disabled_reason' },
    ordering: { type: 'text' },
    onExhausted: { type: 'text', name: 'on_exhausted' },
    maxInFlight: { type: 'integer', name: 'max_in_flight' },
    adaptiveConcurrency: { type: 'boolean', name: 'adaptive_concurrency' },
    rateLimit: { type: 'jsonb', nullable: true, name: 'rate_limit' },
    circuit: { type: 'jsonb', nullable: true },
    timeoutMs: { type: 'integer', name: 'timeout_ms' },
    retryKind: { type: 'text', name: 'retry_kind' },
    retryDelaysMs: { type: 'bigint', array: true, name: 'retry_delays_ms', transformer: bigints },
    retryBaseMs: { type: 'bigint', name: 'retry_base_ms', transformer: bigint },
    retryFactor: { type: 'double precision', name: 'retry_factor' },
    retryMaxAttempts: { type: 'integer', name: 'retry_max_attempts' },
    retryJitterKind: { type: 'text', name: 'retry_jitter_kind' },
    retryJitter: { type: 'double precision', name: 'retry_jitter' },
    retryMaxDelayMs: { type: 'bigint', name: 'retry_max_delay_ms', transformer: bigint },
    retryMaxTotalMs: { type: 'bigint', nullable: true, name: 'retry_max_total_ms', transformer: bigint },
    backfill: { type: 'text', nullable: true },
    filters: { type: 'text', nullable: true },
    versions: { type: 'jsonb' },
    latestByDefault: { type: 'boolean', name: 'latest_by_default' },
    format: { type: 'text' },
    headers: { type: 'jsonb' },
    compression: { type: 'text' },
    batch: { type: 'jsonb', nullable: true },
    transformationId: { type: 'text', nullable: true, name: 'transformation_id' },
    sealedAuthentication: { type: 'text', nullable: true, name: 'sealed_authentication' },
    authentication: { type: 'jsonb', nullable: true },
    sealedClientCertificate: { type: 'text', nullable: true, name: 'sealed_client_certificate' },
    clientCertificate: { type: 'jsonb', nullable: true, name: 'client_certificate' },
    caPem: { type: 'text', nullable: true, name: 'ca_pem' },
    caCertificates: { type: 'jsonb', nullable: true, name: 'ca_certificates' },
    verification: { type: 'jsonb', nullable: true },
    revision: { type: 'integer' },
    createdAt: { ...time, name: 'created_at' },
    updatedAt: { ...time, name: 'updated_at' },
  },
});

export const endpointSecretEntity = new EntitySchema<EndpointSecretRow>({
  name: 'EndpointSecret',
  tableName: 'endpoint_secrets',
  columns: {
    endpointId: { type: 'text', primary: true, name: 'endpoint_id' },
    id: { type: 'text', primary: true },
    place: { type: 'integer' },
    kind: { type: 'text' },
    ciphertext: { type: 'text' },
    publicKey: { type: 'text', nullable: true, name: 'public_key' },
    createdAt: { ...time, name: 'created_at' },
    expiresAt: { ...time, nullable: true, name: 'expires_at' },
  },
});

export const entities = [tenantEntity, endpointEntity, endpointSecretEntity];
