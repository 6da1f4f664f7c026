/**
 * What two roles may do with a table, and with which of its rows. `posthorn_tenant` works for one tenant, `posthorn_endpoints`
 * for some endpoints of one. They are two so that the condition of the first is as simple as the planner needs it to take the
 * index of a list. A table that is not here neither of them can touch; every table is in one of the two lists:
 * confinement.int-spec.ts looks. Migration 0012 is made of them, so they are never changed: a table that comes later is in a
 * list of its own migration.
 */
export interface ConfinedTable {
  readonly table: string;
  readonly grant: string;
  readonly rows: string;
  /** Of `posthorn_endpoints`. */
  readonly narrowed: string;
  /** What may be inserted, where it is not what may be seen. */
  readonly inserted?: string;
}

// Stable, so that an index on the column is used; '' is what a setting is after a transaction that has set it.
const ofTenant = `tenant_id = nullif(current_setting('posthorn.tenant', true), '')`;
const ofEndpoints = (column: string): string =>
  `${ofTenant} AND ${column} = ANY (string_to_array(current_setting('posthorn.endpoints', true), ','))`;
const none = 'false';
export const change = 'SELECT, INSERT, UPDATE, DELETE';

const byTenant = (table: string, grant: string, narrowed: string): ConfinedTable => ({
  table,
  grant,
  rows: ofTenant,
  narrowed,
});

/** Row-level security holds for the parent that is looked for, too. */
const byParent = (table: string, grant: string, parent: string, key: string): ConfinedTable => {
  const rows = `EXISTS (SELECT FROM ${parent} p WHERE p.${key} = ${table}.${parent.replace(/s$/, '')}_id)`;
  return { table, grant, rows, narrowed: rows };
};
export const byEndpoint = (table: string, grant: string): ConfinedTable => byParent(table, grant, 'endpoints', 'id');

const byDelivery = (table: string, grant: string): ConfinedTable => {
  const rows = 'posthorn_sees_delivery(delivery_id)';
  return { table, grant, rows, narrowed: rows };
};

const ownTenant = ofTenant.replace('tenant_id', 'id');

export const confinedTables: readonly ConfinedTable[] = [
  // A lock takes the right to update.
  { table: 'tenants', grant: 'SELECT, UPDATE (updated_at)', rows: ownTenant, narrowed: ownTenant },
  byTenant('endpoints', change, ofEndpoints('id')),
  byEndpoint('endpoint_secrets', change),
  byTenant('endpoint_versions', 'SELECT, INSERT', ofEndpoints('endpoint_id')),
  {
    table: 'endpoint_publications',
    grant: 'SELECT',
    rows: 'EXISTS (SELECT FROM endpoint_versions v WHERE v.endpoint_id = endpoint_publications.endpoint_id)',
    narrowed: 'EXISTS (SELECT FROM endpoint_versions v WHERE v.endpoint_id = endpoint_publications.endpoint_id)',
  },
  byEndpoint('endpoint_faults', 'SELECT'),
  byEndpoint('cursors', 'SELECT, INSERT'),
  byEndpoint('halt_resolutions', change),
  byTenant('deliveries', 'SELECT', ofEndpoints('endpoint_id')),
  byTenant('dead_letters', 'SELECT', ofEndpoints('endpoint_id')),
  byDelivery('attempts', 'SELECT'),
  byDelivery('dead_letter_resolutions', 'SELECT, INSERT, DELETE'),
  byTenant(
    'replays',
    'SELECT, INSERT, UPDATE',
    `${ofTenant} AND endpoint_ids <@ string_to_array(current_setting('posthorn.endpoints', true), ',')`,
  ),
  byParent('replay_partitions', 'SELECT, INSERT', 'replays', 'id'),
  // Code of a tenant is no endpoint's.
  byTenant('transformations', change, none),
  byParent('transformation_versions', 'SELECT, INSERT', 'transformations', 'id'),
  byTenant('api_keys', 'SELECT, INSERT, UPDATE (revoked_at)', none),
  // Who may see some endpoints only leaves entries like everybody, and reads none.
  { table: 'audit_log', grant: 'SELECT, INSERT', rows: ofTenant, narrowed: none, inserted: ofTenant },
  byTenant('audit_heads', 'SELECT, INSERT, UPDATE', ofTenant),
  // Says that a key changed; whose it is does not matter. Nobody reads it but the publisher.
  { table: 'outbox', grant: 'INSERT', rows: none, narrowed: none, inserted: 'true' },
];

/** Of everybody, or nobody's. */
export const unconfinedTables = [
  'idempotency_keys',
  'migrations',
  'projection_positions',
  'source_partitions',
] as const;

export const policiesOf = ({ table, grant, rows, narrowed, inserted }: ConfinedTable): string =>
  [
    `ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY`,
    `CREATE POLICY platform ON ${table} TO posthorn_app USING (true)`,
    `GRANT ${grant} ON ${table} TO posthorn_tenant, posthorn_endpoints`,
    `CREATE POLICY confined ON ${table} TO posthorn_tenant USING (${rows}) WITH CHECK (${inserted ?? rows})`,
    `CREATE POLICY narrowed ON ${table} TO posthorn_endpoints USING (${narrowed}) WITH CHECK (${inserted ?? narrowed})`,
  ].join(';\n');
