/** Tenants, endpoints, and the outbox that carries their changes to the endpoints topic. */
export const configuration = /* sql */ `
CREATE TABLE tenants (
  id          text PRIMARY KEY,
  name        text NOT NULL,
  created_at  timestamptz(3) NOT NULL,
  updated_at  timestamptz(3) NOT NULL
);
CREATE INDEX tenants_by_age ON tenants (created_at, id);

CREATE TABLE endpoints (
  id                  text PRIMARY KEY,
  tenant_id           text NOT NULL REFERENCES tenants (id),
  url                 text NOT NULL,
  event_types         text[] NOT NULL,
  description         text NOT NULL,
  state               text NOT NULL CHECK (state IN ('active', 'paused', 'disabled')),
  disabled_reason     text,
  ordering            text NOT NULL CHECK (ordering IN ('none', 'key', 'endpoint')),
  max_in_flight       integer NOT NULL CHECK (max_in_flight > 0),
  timeout_ms          integer NOT NULL CHECK (timeout_ms > 0),
  retry_delays_ms     bigint[] NOT NULL,
  retry_jitter        double precision NOT NULL,
  retry_max_delay_ms  bigint NOT NULL,
  revision            integer NOT NULL,
  created_at          timestamptz(3) NOT NULL,
  updated_at          timestamptz(3) NOT NULL
);
CREATE INDEX endpoints_by_age ON endpoints (created_at, id);
CREATE INDEX endpoints_by_tenant ON endpoints (tenant_id, created_at, id);

-- Sealed by the master key: no secret can be read from here.
CREATE TABLE endpoint_secrets (
  endpoint_id  text NOT NULL REFERENCES endpoints (id) ON DELETE CASCADE,
  id           text NOT NULL,
  place        integer NOT NULL,
  ciphertext   text NOT NULL,
  expires_at   timestamptz(3),
  PRIMARY KEY (endpoint_id, id)
);

-- "The record of this key must be published": the state itself is read when it is. Rows go once it is in the topic.
CREATE TABLE outbox (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  key         text NOT NULL,
  created_at  timestamptz(3) NOT NULL
);
`;
