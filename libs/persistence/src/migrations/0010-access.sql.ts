/** Keys of the API, and the answers that repeated requests get again. */
export const access = /* sql */ `
-- A key is shown once, when it is made: here is only its digest. Revoked and expired ones keep their row.
CREATE TABLE api_keys (
  -- First part of the key, as people see it.
  id            text PRIMARY KEY,
  -- Null: the platform's.
  tenant_id     text REFERENCES tenants (id) ON DELETE CASCADE,
  name          text NOT NULL,
  digest        bytea NOT NULL UNIQUE CHECK (length(digest) = 32),
  scopes        text[] NOT NULL,
  expires_at    timestamptz(3),
  revoked_at    timestamptz(3),
  -- Written once a minute at most.
  last_used_at  timestamptz(3),
  created_at    timestamptz(3) NOT NULL,
  created_by    text NOT NULL
);
CREATE INDEX api_keys_by_age ON api_keys (created_at, id);
CREATE INDEX api_keys_by_tenant ON api_keys (tenant_id, created_at, id);

-- Requests that carried an Idempotency-Key. The answer is sealed by the master key: it may hold a secret.
CREATE TABLE idempotency_keys (
  -- Two callers may choose one key.
  caller      text NOT NULL,
  key         text NOT NULL,
  -- Method, path and body.
  request     bytea NOT NULL,
  -- Told anew to each that works on it: who was taken for dead may not answer any more.
  run         text NOT NULL,
  begun_at    timestamptz(3) NOT NULL,
  -- Null: it is being worked on, or its process has died.
  status      smallint,
  answer      text,
  PRIMARY KEY (caller, key),
  CHECK ((status IS NULL) = (answer IS NULL))
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (begun_at);
`;
