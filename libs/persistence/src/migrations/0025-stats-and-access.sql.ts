import { appRoles } from './app-roles.sql.js';
import { policiesOf, type ConfinedTable } from './confined-tables.js';

const ofTenant = `tenant_id = nullif(current_setting('posthorn.tenant', true), '')`;
const ofEndpoints = `${ofTenant} AND endpoint_id = ANY (string_to_array(current_setting('posthorn.endpoints', true), ','))`;

/** Migration 0025 is made of them, so they are never changed. */
export const statsAndAccessTables: readonly ConfinedTable[] = [
  { table: 'delivery_stats', grant: 'SELECT', rows: ofTenant, narrowed: ofEndpoints },
  // Who may see some endpoints only revokes nothing.
  { table: 'portal_generations', grant: 'SELECT, INSERT, UPDATE', rows: ofTenant, narrowed: 'false' },
  { table: 'revoked_portal_tokens', grant: 'SELECT, INSERT', rows: ofTenant, narrowed: 'false' },
];

/** Numbers of deliveries by the hour, and which portal tokens work no more. */
export const statsAndAccess = /* sql */ `
-- Written by projectors in the transaction that moves their positions: each record of the log counts once. It has no
-- row of one delivery, so it outlives the log and the delivery log, and is not rebuilt where those have lost theirs.
CREATE TABLE delivery_stats (
  tenant_id      text NOT NULL,
  endpoint_id    text NOT NULL,
  event_type     text NOT NULL,
  hour           timestamptz(0) NOT NULL,
  attempts       integer NOT NULL,
  failed         integer NOT NULL,
  delivered      integer NOT NULL,
  dead_lettered  integer NOT NULL,
  dropped        integer NOT NULL,
  -- Counts by the buckets of libs/core, latency histogram.
  latency        integer[],
  PRIMARY KEY (tenant_id, hour, endpoint_id, event_type)
) WITH (fillfactor = 80);
CREATE INDEX delivery_stats_by_endpoint ON delivery_stats (endpoint_id, hour);
CREATE INDEX delivery_stats_by_hour ON delivery_stats (hour);

CREATE FUNCTION posthorn_add_counts(a bigint[], b bigint[]) RETURNS bigint[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
  $$ SELECT array_agg(x + y ORDER BY n) FROM unnest(a, b) WITH ORDINALITY AS t (x, y, n) $$;
CREATE AGGREGATE posthorn_sum_counts(bigint[]) (
  SFUNC = posthorn_add_counts, STYPE = bigint[], COMBINEFUNC = posthorn_add_counts, PARALLEL = SAFE
);

-- After a move to another cluster the figures of earlier hours are those of a log that is gone: no rebuild replaces them.
ALTER TABLE posthorn_rebuild.run ADD COLUMN stats_kept_before timestamptz;

-- A portal token names the generation of its tenant: when that goes up, all that were minted before are void. A tenant
-- without a row has generation 0. The row outlives the tenant, so that another of the same name does not honour its tokens.
CREATE TABLE portal_generations (
  tenant_id   text PRIMARY KEY,
  generation  integer NOT NULL
);
-- Kept as long as the token would have lived.
CREATE TABLE revoked_portal_tokens (
  tenant_id   text NOT NULL,
  token_id    text NOT NULL,
  revoked_at  timestamptz(3) NOT NULL,
  PRIMARY KEY (tenant_id, token_id)
);
CREATE INDEX revoked_portal_tokens_by_age ON revoked_portal_tokens (revoked_at);

-- For the filters of lists. A platform's own queries look there; a tenant's walk along the index of its own rows.
CREATE INDEX endpoints_not_active ON endpoints (state, created_at, id) WHERE state <> 'active';
CREATE INDEX endpoints_by_event_type ON endpoints USING gin (event_types);
CREATE INDEX endpoints_by_words ON endpoints USING gin
  (to_tsvector('simple', regexp_replace(url || ' ' || description, '[^[:alnum:]]+', ' ', 'g')));
CREATE INDEX tenants_by_words ON tenants USING gin
  (to_tsvector('simple', regexp_replace(name, '[^[:alnum:]]+', ' ', 'g')));
CREATE INDEX transformations_by_words ON transformations USING gin
  (to_tsvector('simple', regexp_replace(name, '[^[:alnum:]]+', ' ', 'g')));
CREATE INDEX api_keys_by_scope ON api_keys USING gin (scopes);
CREATE INDEX replays_by_endpoint ON replays USING gin (endpoint_ids);
CREATE INDEX replays_by_state ON replays (state, created_at, id);
CREATE INDEX audit_log_by_tenant ON audit_log (tenant_id, at, seq);
CREATE INDEX audit_log_by_actor ON audit_log (actor_id, at);
CREATE INDEX audit_log_by_action ON audit_log (action, at);
CREATE INDEX audit_log_by_request ON audit_log (request_id, at) WHERE request_id IS NOT NULL;

${statsAndAccessTables.map(policiesOf).join(';\n')};

GRANT SELECT, INSERT, UPDATE, DELETE ON ${statsAndAccessTables.map(({ table }) => table).join(', ')} TO posthorn_app;

${appRoles}`;
