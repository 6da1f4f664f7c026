/** Who changed what. Each tenant's entries are a chain of hashes (libs/core/src/audit); '' is the platform's own. */
export const auditLog = /* sql */ `
CREATE TABLE audit_log (
  tenant_id   text NOT NULL,
  seq         bigint NOT NULL,
  at          timestamptz(3) NOT NULL,
  actor_kind  text NOT NULL CHECK (actor_kind IN ('root', 'operator', 'tenant', 'portal', 'system')),
  actor_id    text NOT NULL,
  actor_name  text NOT NULL,
  ip          text,
  request_id  text,
  action      text NOT NULL,
  resource    text NOT NULL,
  -- Text that is kept as it is: what was hashed comes back. Null: it was not there.
  before      json,
  after       json,
  prev_hash   bytea NOT NULL,
  hash        bytea NOT NULL,
  PRIMARY KEY (tenant_id, seq)
);
CREATE INDEX audit_log_by_age ON audit_log (at, tenant_id, seq);
CREATE INDEX audit_log_by_resource ON audit_log (resource, at);

-- Where each chain ends, so that entries cannot be cut off its end. Held by who adds one until the commit.
CREATE TABLE audit_heads (
  tenant_id  text PRIMARY KEY,
  seq        bigint NOT NULL,
  prev_hash  bytea NOT NULL,
  hash       bytea NOT NULL
);

CREATE FUNCTION posthorn_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit log is append-only: % of % is refused', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
  FOR EACH STATEMENT EXECUTE FUNCTION posthorn_append_only();
CREATE TRIGGER audit_heads_stay BEFORE DELETE OR TRUNCATE ON audit_heads
  FOR EACH STATEMENT EXECUTE FUNCTION posthorn_append_only();
`;
