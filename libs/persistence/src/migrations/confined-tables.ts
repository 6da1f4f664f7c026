/**
 * What the role `posthorn_tenant` may do with a table, and with which rows: those that satisfy `rows`. A table that is
 * not here it cannot touch. Every table is in one of the two lists: confinement.int-spec.ts looks.
 */
export interface ConfinedTable {
  readonly table: string;
  readonly grant: string;
  /** For SELECT and all else, unless there is another condition for what is inserted. */
  readonly rows: string;
  readonly inserted?: string;
}

// Stable, so an index on the column is used; '' is what a setting is after a transaction that has set it.
const tenant = `nullif(current_setting('posthorn.tenant', true), '')`;
const everyEndpoint = `nullif(current_setting('posthorn.endpoints', true), '') IS NULL`;
const endpoints = `string_to_array(current_setting('posthorn.endpoints', true), ',')`;

const ofTenant = `tenant_id = ${tenant}`;
const ofEndpoint = (column: string): string => `(${everyEndpoint} OR ${column} = ANY (${endpoints}))`;
const ofParent = (table: string): string => `EXISTS (SELECT FROM endpoints e WHERE e.id = ${table}.endpoint_id)`;
const change = 'SELECT, INSERT, UPDATE, DELETE';

/** Row-level security holds for the parent that is looked for, too. */
export const confinedTables: readonly ConfinedTable[] = [
  // A lock takes the right to update.
  { table: 'tenants', grant: 'SELECT, UPDATE (updated_at)', rows: `id = ${tenant}` },
  { table: 'endpoints', grant: change, rows: `${ofTenant} AND ${ofEndpoint('id')}` },
  { table: 'endpoint_secrets', grant: change, rows: ofParent('endpoint_secrets') },
  { table: 'endpoint_versions', grant: 'SELECT, INSERT', rows: `${ofTenant} AND ${ofEndpoint('endpoint_id')}` },
  {
    table: 'endpoint_publications',
    grant: 'SELECT',
    rows: `EXISTS (SELECT FROM endpoint_versions v WHERE v.endpoint_id = endpoint_publications.endpoint_id)`,
  },
  { table: 'endpoint_faults', grant: 'SELECT', rows: ofParent('endpoint_faults') },
  { table: 'cursors', grant: 'SELECT, INSERT', rows: ofParent('cursors') },
  { table: 'halt_resolutions', grant: change, rows: ofParent('halt_resolutions') },
  { table: 'deliveries', grant: 'SELECT', rows: `${ofTenant} AND ${ofEndpoint('endpoint_id')}` },
  { table: 'dead_letters', grant: 'SELECT', rows: `${ofTenant} AND ${ofEndpoint('endpoint_id')}` },
  { table: 'attempts', grant: 'SELECT', rows: 'posthorn_sees_delivery(delivery_id)' },
  {
    table: 'dead_letter_resolutions',
    grant: 'SELECT, INSERT, DELETE',
    rows: 'posthorn_sees_delivery(delivery_id)',
  },
  {
    table: 'replays',
    grant: 'SELECT, INSERT, UPDATE',
    rows: `${ofTenant} AND (${everyEndpoint} OR endpoint_ids <@ ${endpoints})`,
  },
  {
    table: 'replay_partitions',
    grant: 'SELECT, INSERT',
    rows: `EXISTS (SELECT FROM replays r WHERE r.id = replay_partitions.replay_id)`,
  },
  { table: 'transformations', grant: change, rows: `${ofTenant} AND ${everyEndpoint}` },
  {
    table: 'transformation_versions',
    grant: 'SELECT, INSERT',
    rows: `EXISTS (SELECT FROM transformations t WHERE t.id = transformation_versions.transformation_id)`,
  },
  { table: 'api_keys', grant: 'SELECT, INSERT, UPDATE (revoked_at)', rows: `${ofTenant} AND ${everyEndpoint}` },
  // Who may see some endpoints only leaves entries like everybody, and reads none.
  { table: 'audit_log', grant: 'SELECT, INSERT', rows: `${ofTenant} AND ${everyEndpoint}`, inserted: ofTenant },
  { table: 'audit_heads', grant: 'SELECT, INSERT, UPDATE', rows: ofTenant },
  // Says that a key changed; whose it is does not matter. Nobody reads it but the publisher.
  { table: 'outbox', grant: 'INSERT', rows: 'false', inserted: 'true' },
];

/** Of everybody, or nobody's. */
export const unconfinedTables = [
  'idempotency_keys',
  'migrations',
  'projection_positions',
  'source_partitions',
] as const;

export const policiesOf = ({ table, grant, rows, inserted }: ConfinedTable): string => `
GRANT ${grant} ON ${table} TO posthorn_tenant;
ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY;
CREATE POLICY platform ON ${table} TO posthorn_app USING (true);
${
  inserted === undefined
    ? `CREATE POLICY confined ON ${table} TO posthorn_tenant USING (${rows});`
    : `CREATE POLICY confined ON ${table} TO posthorn_tenant USING (${rows}) WITH CHECK (${inserted});`
}
`;
