import { member, role } from './0012-confinement.sql.js';

/** What each app may do with tables, beside reading. Where it is not here, none of them writes. */
const written = {
  posthorn_dispatcher: {
    cursors: 'SELECT, INSERT, UPDATE, DELETE',
    source_partitions: 'SELECT, INSERT, UPDATE',
    endpoint_faults: 'SELECT, INSERT, UPDATE',
    replay_partitions: 'SELECT, UPDATE',
    replays: 'SELECT',
    dead_letter_resolutions: 'SELECT, INSERT, UPDATE',
    ...reads('endpoints', 'endpoint_versions', 'endpoint_publications', 'deliveries', 'dead_letters', 'migrations'),
  },
  posthorn_projector: {
    ...Object.fromEntries(
      ['deliveries', 'attempts', 'dead_letters', 'delivery_stats', 'projection_positions'].map((table) => [
        table,
        'SELECT, INSERT, UPDATE, DELETE',
      ]),
    ),
    // An endpoint that is gone is disabled: its row, its history, what is published of it, the entry of the audit log.
    endpoints: 'SELECT, UPDATE',
    endpoint_secrets: 'SELECT, INSERT, UPDATE, DELETE',
    endpoint_versions: 'SELECT, INSERT',
    outbox: 'SELECT, INSERT',
    audit_log: 'SELECT, INSERT',
    audit_heads: 'SELECT, INSERT, UPDATE',
    ...reads('migrations'),
  },
} as const satisfies Record<string, Record<string, string>>;

function reads(...tables: string[]): Record<string, string> {
  return Object.fromEntries(tables.map((table) => [table, 'SELECT']));
}

/** Of what is made from the log, or stands for good. The api reads it. */
const notOfTheApi = [
  'deliveries',
  'attempts',
  'dead_letters',
  'delivery_stats',
  'projection_positions',
  'source_partitions',
  'migrations',
  'audit_log',
  'audit_heads',
];

const appRoleNames = ['posthorn_api', 'posthorn_dispatcher', 'posthorn_projector'];

/**
 * A role for each app, with the least that it needs; `posthorn_app` may do what all of them may. Workers have no database.
 * None of them owns anything, or is above row-level security: what they see of confined tables is said by a policy.
 */
export const appRoles = /* sql */ `
DO $$
DECLARE
  may_set constant text := CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN 'SET' ELSE 'MEMBER' END;
  found record;
BEGIN
  ${appRoleNames.map(role).join('\n  ')}
  ${member('posthorn_tenant', 'posthorn_api')}
  ${member('posthorn_endpoints', 'posthorn_api')}
  EXECUTE format('GRANT USAGE ON SCHEMA %I TO ${appRoleNames.join(', ')}', current_schema());
  FOR found IN
    SELECT relname AS name, relrowsecurity AS confined FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
  LOOP
    IF found.confined THEN
      EXECUTE format('CREATE POLICY apps ON %I TO ${appRoleNames.join(', ')} USING (true)', found.name);
    END IF;
    EXECUTE format('GRANT SELECT ON %I TO posthorn_api', found.name);
    IF NOT found.name = ANY ('{${notOfTheApi.join(',')}}') THEN
      EXECUTE format('GRANT INSERT, UPDATE, DELETE ON %I TO posthorn_api', found.name);
    END IF;
  END LOOP;
END
$$;
GRANT INSERT ON audit_log TO posthorn_api;
GRANT INSERT, UPDATE ON audit_heads TO posthorn_api;
GRANT EXECUTE ON FUNCTION posthorn_dead_letters_with TO posthorn_api, posthorn_dispatcher;
-- Retention: with the owner's rights, and of the log alone.
GRANT EXECUTE ON FUNCTION posthorn_parts, posthorn_make_parts, posthorn_drop_part, posthorn_expire_older TO posthorn_projector;
${Object.entries(written)
  .flatMap(([app, tables]) => Object.entries(tables).map(([table, rights]) => `GRANT ${rights} ON ${table} TO ${app};`))
  .join('\n')}
`;
