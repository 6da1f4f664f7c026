import { confinedTables, policiesOf, unconfinedTables } from './confined-tables.js';

/** A role that is there once for all databases of the server: several migrations may make it at once. */
export const role = (name: string): string => `
IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${name}') THEN
  BEGIN
    CREATE ROLE ${name} NOLOGIN;
  EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
    WHEN insufficient_privilege THEN
      RAISE EXCEPTION 'the role ${name} is missing, and % may not create it', current_user
        USING HINT = 'As a superuser: CREATE ROLE ${name} NOLOGIN (docs/operations.md, "Roles of the database").';
  END;
END IF;
`;

export const member = (of: string, who: string): string => `
IF NOT pg_has_role(${who === 'CURRENT_USER' ? 'current_user' : `'${who}'`}, '${of}', may_set) THEN
  BEGIN
    GRANT ${of} TO ${who};
  EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
    WHEN insufficient_privilege THEN
      RAISE EXCEPTION '% may not become ${of}', ${who === 'CURRENT_USER' ? 'current_user' : `'${who}'`}
        USING HINT = 'As a superuser: GRANT ${of} TO ${who} (docs/operations.md, "Roles of the database").';
  END;
END IF;
`;

/**
 * Who may see which rows. `posthorn_tenant` is what a transaction becomes that works for one tenant, named by the setting
 * `posthorn.tenant`, `posthorn_endpoints` one that works for those of its endpoints that `posthorn.endpoints` names; `posthorn_app` is what the apps need, without the right to change tables. The owner, who migrates, is
 * not confined by policies, nor is a superuser.
 */
export const confinement = /* sql */ `
DO $$
DECLARE
  -- Membership alone does not say since PostgreSQL 16 that one may become it.
  may_set constant text := CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN 'SET' ELSE 'MEMBER' END;
BEGIN
  ${role('posthorn_tenant')}
  ${role('posthorn_endpoints')}
  ${role('posthorn_app')}
  ${member('posthorn_tenant', 'CURRENT_USER')}
  ${member('posthorn_endpoints', 'CURRENT_USER')}
  ${member('posthorn_tenant', 'posthorn_app')}
  ${member('posthorn_endpoints', 'posthorn_app')}
  EXECUTE format('GRANT USAGE ON SCHEMA %I TO posthorn_app, posthorn_tenant, posthorn_endpoints', current_schema());
END
$$;

-- In a body of its own, which does not hold on to the table: a rebuild of the projection puts another in its place.
CREATE FUNCTION posthorn_sees_delivery(id text) RETURNS boolean LANGUAGE sql STABLE AS
  $$ SELECT EXISTS (SELECT FROM deliveries d WHERE d.delivery_id = id) $$;

${confinedTables.map(policiesOf).join(';\n')};

-- Whose an endpoint is: a confined list of its deliveries asks for both, and the planner would take that for rare.
CREATE STATISTICS deliveries_of_endpoints (dependencies) ON tenant_id, endpoint_id FROM deliveries;

GRANT SELECT, INSERT, UPDATE, DELETE ON ${[...confinedTables.map(({ table }) => table), ...unconfinedTables]
  .filter((table) => !['audit_log', 'audit_heads', 'migrations'].includes(table))
  .join(', ')} TO posthorn_app;
GRANT SELECT ON migrations TO posthorn_app;
GRANT SELECT, INSERT ON audit_log TO posthorn_app;
GRANT SELECT, INSERT, UPDATE ON audit_heads TO posthorn_app;

DO $$
BEGIN
  EXECUTE format($function$
    -- Looks into the index for all tenants, which a policy forbids where the operator might leak: for the caller's alone.
    CREATE FUNCTION posthorn_dead_letters_with(words text) RETURNS SETOF text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = %I, pg_temp AS $body$
      SELECT delivery_id FROM dead_letters
      WHERE to_tsvector('simple', regexp_replace(
          coalesce(last_status::text, '') || ' ' || coalesce(last_error, ''), '[^[:alnum:]]+', ' ', 'g'))
        @@ to_tsquery('simple', nullif(regexp_replace(
          btrim(regexp_replace(words, '[^[:alnum:]]+', ' ', 'g')), ' ', ':* & ', 'g') || ':*', ':*'))
        AND tenant_id = coalesce(nullif(current_setting('posthorn.tenant', true), ''), tenant_id)
      OFFSET 0
    $body$
  $function$, current_schema());
END
$$;
REVOKE EXECUTE ON FUNCTION posthorn_dead_letters_with FROM PUBLIC;
GRANT EXECUTE ON FUNCTION posthorn_dead_letters_with TO posthorn_app, posthorn_tenant, posthorn_endpoints;
`;
