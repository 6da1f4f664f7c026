/**
 * Statements of the rebuild. `live` is the schema of the tables in use, `posthorn_rebuild` holds those that take their
 * place. Log starts are given as two arrays: partitions and first offsets of the attempts topic ($1, $2).
 */

/** The tables that are swapped; the positions are rewritten in place (see RebuildStore.swap). */
export const swapped = ['deliveries', 'attempts', 'dead_letters'] as const;
export const shadowSchema = 'posthorn_rebuild';
/** Where the parts of the tables in use are. */
const partSchema = 'posthorn_partitions';

/** What else a projection writes. */
export const beside = ['projection_positions', 'delivery_stats'] as const;

export const clearShadow = [...swapped, ...beside]
  .map((table) => `DROP TABLE IF EXISTS ${shadowSchema}.${table}`)
  .join(';\n');

/** Indexes come after the rows, which is faster; keys now, since rows are told apart by them. */
export const createShadow = (live: string, table: string): string => /* sql */ `
CREATE TABLE ${shadowSchema}.${table} (LIKE ${live}.${table} INCLUDING ALL EXCLUDING INDEXES)
`;
/** Of those that are in parts. $1: schema, $2: table. */
export const selectPartitioning = /* sql */ `
SELECT ' PARTITION BY ' || pg_get_partkeydef(r.oid) AS sql
FROM pg_class r JOIN pg_namespace n ON n.oid = r.relnamespace WHERE n.nspname = $1 AND r.relname = $2 AND r.relkind = 'p'
`;
/** The same parts as the table in use has now. $1: schema, $2: table. */
export const selectParts = /* sql */ `
SELECT unnest(ARRAY[
    format('CREATE TABLE ${shadowSchema}.%I (LIKE ${partSchema}.%I INCLUDING ALL EXCLUDING INDEXES)', part.relname, part.relname),
    format('ALTER TABLE ${shadowSchema}.%I ATTACH PARTITION ${shadowSchema}.%I %s', r.relname, part.relname,
      pg_get_expr(part.relpartbound, part.oid))
  ]) AS sql
FROM pg_class r JOIN pg_namespace n ON n.oid = r.relnamespace JOIN pg_inherits i ON i.inhparent = r.oid
JOIN pg_class part ON part.oid = i.inhrelid
WHERE n.nspname = $1 AND r.relname = $2
`;
/** $1: tables */
export const movePartsIntoUse = /* sql */ `
SELECT format('ALTER TABLE ${shadowSchema}.%I SET SCHEMA ${partSchema}', part.relname) AS sql
FROM pg_class r JOIN pg_inherits i ON i.inhparent = r.oid JOIN pg_class part ON part.oid = i.inhrelid
WHERE r.relnamespace = '${shadowSchema}'::regnamespace AND r.relname = ANY($1)
`;
/** With the names that migrations know them by: LIKE would invent others. $1: schema, $2: table. */
export const selectKeys = /* sql */ `
SELECT format('ALTER TABLE ${shadowSchema}.%I ADD CONSTRAINT %I %s', r.relname, c.conname, pg_get_constraintdef(c.oid)) AS sql
FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid JOIN pg_namespace n ON n.oid = r.relnamespace
WHERE n.nspname = $1 AND r.relname = $2 AND c.contype IN ('p', 'u') ORDER BY c.conname
`;
/** What others were allowed to do with the table (a role for reports, say) they still are. $1: schema, $2: table. */
export const selectGrants = /* sql */ `
SELECT format('GRANT %s ON ${shadowSchema}.%I TO %s%s', g.privilege_type, r.relname,
  CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END,
  CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) AS sql
FROM pg_class r JOIN pg_namespace n ON n.oid = r.relnamespace, aclexplode(r.relacl) AS g
WHERE n.nspname = $1 AND r.relname = $2 AND g.grantee <> r.relowner
`;
/**
 * Whose rows who may see, as of the table in use: LIKE leaves policies behind. They may look at other tables by name, so
 * they are made once the table stands in its place. $1: schema, $2: tables.
 */
export const selectPolicies = /* sql */ `
SELECT format('ALTER TABLE %I.%I ENABLE ROW LEVEL SECURITY', n.nspname, r.relname) AS sql
FROM pg_class r JOIN pg_namespace n ON n.oid = r.relnamespace
WHERE n.nspname = $1 AND r.relname = ANY($2) AND r.relrowsecurity
UNION ALL
SELECT format('CREATE POLICY %I ON %I.%I AS %s FOR %s TO %s', p.policyname, p.schemaname, p.tablename, p.permissive, p.cmd,
    array_to_string(ARRAY(SELECT quote_ident(role) FROM unnest(p.roles) AS role), ', '))
  || coalesce(' USING (' || p.qual || ')', '') || coalesce(' WITH CHECK (' || p.with_check || ')', '')
FROM pg_policies p WHERE p.schemaname = $1 AND p.tablename = ANY($2)
`;
export const selectIndexes = /* sql */ `
SELECT i.relname AS name, format('CREATE %sINDEX %I ON ${shadowSchema}.%I%s', CASE WHEN x.indisunique THEN 'UNIQUE ' ELSE '' END,
  i.relname, r.relname, substring(pg_get_indexdef(i.oid) from ' USING .*')) AS sql
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class r ON r.oid = x.indrelid
JOIN pg_namespace n ON n.oid = r.relnamespace
WHERE n.nspname = $1 AND r.relname = ANY($2) AND x.indisvalid
  AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = x.indexrelid)
ORDER BY i.relname
`;
/** All but what the table makes out by itself. $1: schema, $2: table. */
export const selectColumns = /* sql */ `
SELECT quote_ident(column_name) AS name FROM information_schema.columns
WHERE table_schema = $1 AND table_name = $2 AND is_generated = 'NEVER' ORDER BY ordinal_position
`;

const starts = `unnest($1::integer[], $2::bigint[]) AS s (partition, start)`;

export const keepOlder = (live: string, table: 'attempts' | 'dead_letters', columns: string): string => /* sql */ `
INSERT INTO ${shadowSchema}.${table} (${columns})
SELECT ${columns} FROM ${live}.${table} AS t LEFT JOIN ${starts} ON s.partition = t.log_partition
WHERE s.start IS NULL OR t.log_offset < s.start
`;
const hasOlder = `EXISTS (SELECT FROM ${shadowSchema}.attempts AS a WHERE a.delivery_id = d.delivery_id)`;
const inLog = (live: string): string =>
  `SELECT FROM ${live}.attempts AS a JOIN ${starts} ON s.partition = a.log_partition AND a.log_offset >= s.start
   WHERE a.delivery_id = d.delivery_id`;
/**
 * Deliveries of which the log holds nothing any more. One without any attempt (those may be deleted by age, too) is taken
 * for such a one only if it is older than the log, $3 (Unix ms): the log may still have to tell what the tables have lost.
 */
export const keepOlderDeliveries = (live: string, columns: string): string => /* sql */ `
INSERT INTO ${shadowSchema}.deliveries (${columns})
SELECT ${columns} FROM ${live}.deliveries AS d
WHERE (${hasOlder} AND NOT EXISTS (${inLog(live)})) OR (
  coalesce(d.completed_at, d.last_attempt_at, d.dispatched_at) < to_timestamp($3::float8 / 1000.0)
  AND NOT EXISTS (SELECT FROM ${live}.attempts AS a WHERE a.delivery_id = d.delivery_id))
`;
/** Deliveries that the log holds the later part of. */
export const selectStraddling = (live: string): string => /* sql */ `
SELECT d.* FROM ${live}.deliveries AS d WHERE ${hasOlder} AND EXISTS (${inLog(live)}) ORDER BY d.delivery_id
`;
export const selectOlderAttempts = (live: string): string => /* sql */ `
SELECT a.* FROM ${live}.attempts AS a LEFT JOIN ${starts} ON s.partition = a.log_partition
WHERE a.delivery_id = ANY($3) AND (s.start IS NULL OR a.log_offset < s.start) ORDER BY a.log_partition, a.log_offset
`;

/**
 * Rows of another cluster's log: the offsets of this one say nothing about them. Deliveries that this log does not know
 * are kept, with their attempts and dead letters at places below 0, where no record of this log will ever come.
 */
export const keepForeign = (live: string, columns: Readonly<Record<(typeof swapped)[number], string>>): string[] => {
  const place = (table: 'attempts' | 'dead_letters'): string =>
    columns[table].replace(
      /\blog_offset\b/,
      `log_offset - 1 - GREATEST(0, (SELECT max(log_offset) FROM ${live}.${table}))`,
    );
  const unknown = (table: 'attempts' | 'deliveries', row: string): string =>
    `NOT EXISTS (SELECT FROM ${shadowSchema}.${table} AS k WHERE k.delivery_id = ${row}.delivery_id)`;
  return [
    // By attempts: a delivery whose POSTs were only announced (`started`) has no row of its own.
    `INSERT INTO ${shadowSchema}.attempts (${columns.attempts})
     SELECT ${place('attempts')} FROM ${live}.attempts AS a WHERE ${unknown('attempts', 'a')}`,
    `INSERT INTO ${shadowSchema}.dead_letters (${columns.dead_letters})
     SELECT ${place('dead_letters')} FROM ${live}.dead_letters AS l WHERE ${unknown('deliveries', 'l')} ON CONFLICT DO NOTHING`,
    // Last: the others ask which deliveries this log knows.
    `INSERT INTO ${shadowSchema}.deliveries (${columns.deliveries})
     SELECT ${columns.deliveries} FROM ${live}.deliveries AS d WHERE ${unknown('deliveries', 'd')}`,
  ];
};

export const startPositions = /* sql */ `
INSERT INTO ${shadowSchema}.projection_positions (topic, partition, position)
SELECT * FROM unnest($1::text[], $2::integer[], $3::bigint[])
`;
/** $1, $2: topics and partitions. In the projectors' order of locking. */
export const lockLivePositions = (live: string, lock: boolean): string => /* sql */ `
SELECT topic, partition, position FROM ${live}.projection_positions
WHERE (topic, partition) IN (SELECT * FROM unnest($1::text[], $2::integer[]))
ORDER BY topic, partition ${lock ? 'FOR UPDATE' : ''}
`;
export const handOverPositions = (live: string): string => /* sql */ `
INSERT INTO ${live}.projection_positions AS p (topic, partition, position)
SELECT topic, partition, position FROM ${shadowSchema}.projection_positions
ON CONFLICT (topic, partition) DO UPDATE SET position = EXCLUDED.position WHERE p.position <> EXCLUDED.position
`;
