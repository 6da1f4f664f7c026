/**
 * What makes and drops the parts of the log. They run with the rights of the tables' owner, so that the projector needs none
 * to change tables. None waits for a lock for longer than half a second, in which others wait behind it: less than
 * `deadlock_timeout`, so that it is always these that give up. Part of migration 0024, so never changed.
 *
 * Each is called in a transaction of its own: a lock timeout (55P03) leaves all as it was.
 */
const bodies = {
  /** The parts of a table in the order of time, with bounds that are infinite at both ends. */
  'posthorn_parts(parted text, OUT name text, OUT since timestamptz, OUT until timestamptz) RETURNS SETOF record LANGUAGE sql STABLE': `
  SELECT name, coalesce(substring(bound FROM 'FROM \\(''([^'']+)''\\)')::timestamptz, '-infinity'),
    coalesce(substring(bound FROM 'TO \\(''([^'']+)''\\)')::timestamptz, 'infinity')
  FROM (
    SELECT c.relname::text AS name, pg_get_expr(c.relpartbound, c.oid) AS bound
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = parted::regclass
  ) AS part ORDER BY 2`,

  /**
   * What the planner should know of a part of deliveries, as it looks at what is known of each: whose an endpoint is (a
   * confined list of its deliveries asks for both), and how those that failed have failed.
   */
  'posthorn_know_part(part text) RETURNS void LANGUAGE plpgsql': `
BEGIN
  IF part NOT LIKE '%.deliveries!_%' ESCAPE '!' THEN RETURN; END IF;
  EXECUTE format('CREATE STATISTICS %s_of_endpoints (dependencies) ON tenant_id, endpoint_id FROM %s', part, part);
  EXECUTE format('CREATE STATISTICS %s_of_failures (mcv) ON status, last_status, last_error_kind FROM %s', part, part);
END`,

  /** Parts of that width up to a time. @returns how many it has made */
  'posthorn_make_parts(parted text, upto timestamptz, width interval) RETURNS integer LANGUAGE plpgsql': `
DECLARE
  ahead constant text := 'posthorn_partitions.' || quote_ident(parted || '_ahead');
  lower timestamptz;
  upper timestamptz;
  column_name text;
  part text;
  made integer := 0;
BEGIN
  -- Two at a time would both see the same end: the other one does it.
  IF NOT pg_try_advisory_xact_lock(7406024) THEN RETURN 0; END IF;
  SELECT p.since INTO lower FROM posthorn_parts(parted) p WHERE p.name = parted || '_ahead';
  IF lower >= upto THEN RETURN 0; END IF;
  SELECT a.attname INTO column_name FROM pg_partitioned_table t
    JOIN pg_attribute a ON a.attrelid = t.partrelid AND a.attnum = t.partattrs[0] WHERE t.partrelid = parted::regclass;
  EXECUTE format('ALTER TABLE %I DETACH PARTITION %s', parted, ahead);
  WHILE lower < upto LOOP
    upper := date_bin(width, lower, '2001-01-01 00:00Z') + width;
    part := 'posthorn_partitions.' || quote_ident(parted || '_' || to_char(lower AT TIME ZONE 'UTC', 'YYYYMMDD'));
    EXECUTE format('CREATE TABLE %s PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', part, parted, lower, upper);
    PERFORM posthorn_know_part(part);
    -- A clock was ahead.
    EXECUTE format('WITH moved AS (DELETE FROM %s WHERE %I < %L RETURNING *) INSERT INTO %s SELECT * FROM moved', ahead,
      column_name, upper, part);
    lower := upper;
    made := made + 1;
  END LOOP;
  EXECUTE format('ALTER TABLE %I ATTACH PARTITION %s FOR VALUES FROM (%L) TO (MAXVALUE)', parted, ahead, lower);
  RETURN made;
END`,

  /** Which rows of the log stay, whatever their age: an expression over a row of the table. */
  'posthorn_living(parted text, horizon timestamptz) RETURNS text LANGUAGE sql STABLE': `
  SELECT CASE parted
    WHEN 'deliveries' THEN format($living$(status IN ('pending', 'halted')
      OR greatest(dispatched_at, last_attempt_at, completed_at) >= %L)$living$, horizon)
    WHEN 'dead_letters' THEN format($living$(given_up_at >= %L OR EXISTS (SELECT FROM deliveries d
      WHERE d.delivery_id = l.delivery_id AND d.accepted_at = l.accepted_at))$living$, horizon)
    ELSE format('(logged_at >= %L)', horizon) END`,

  /**
   * Drops the oldest part, if all of it is older than the horizon. What still lives in it goes to the part of what is older
   * than all others. Name: null, there is none; kept: so many, -1: more than \`most\`, and nothing was done.
   */
  'posthorn_drop_part(parted text, horizon timestamptz, most integer, OUT name text, OUT kept integer) RETURNS record LANGUAGE plpgsql': `
DECLARE
  older constant text := 'posthorn_partitions.' || quote_ident(parted || '_older');
  part text;
  upper timestamptz;
  living tid[];
BEGIN
  IF NOT pg_try_advisory_xact_lock(7406024) THEN RETURN; END IF;
  SELECT p.name, p.until INTO name, upper FROM posthorn_parts(parted) p
    WHERE p.since > '-infinity' AND p.until <= horizon ORDER BY p.since LIMIT 1;
  IF name IS NULL THEN RETURN; END IF;
  part := 'posthorn_partitions.' || quote_ident(name);
  -- The rows are looked through before anybody who reads has to wait. Those of attempts, the largest table, need not be: they
  -- are parted by what tells whether they live.
  IF parted <> 'attempts' THEN
    EXECUTE format('LOCK TABLE %s IN SHARE MODE', part);
    EXECUTE format('SELECT array_agg(ctid) FROM (SELECT l.ctid FROM %s l WHERE %s LIMIT %s) AS found', part,
      posthorn_living(parted, horizon), most + 1) INTO living;
  END IF;
  kept := coalesce(cardinality(living), 0);
  IF kept > most THEN kept := -1; RETURN; END IF;
  EXECUTE format('ALTER TABLE %I DETACH PARTITION %s', parted, part);
  EXECUTE format('ALTER TABLE %I DETACH PARTITION %s', parted, older);
  EXECUTE format('INSERT INTO %s SELECT * FROM %s WHERE ctid = ANY($1)', older, part) USING living;
  EXECUTE format('ALTER TABLE %I ATTACH PARTITION %s FOR VALUES FROM (MINVALUE) TO (%L)', parted, older, upper);
  EXECUTE format('DROP TABLE %s', part);
END`,

  /** Deletes up to \`most\` rows that have no part of their own and are older than the horizon. @returns how many */
  'posthorn_expire_older(parted text, horizon timestamptz, most integer) RETURNS integer LANGUAGE plpgsql': `
DECLARE
  older constant text := 'posthorn_partitions.' || quote_ident(parted || '_older');
  living constant text := posthorn_living(parted, horizon);
  count integer;
BEGIN
  EXECUTE format('DELETE FROM %s l WHERE NOT %s AND ctid = ANY (ARRAY(SELECT ctid FROM %s l WHERE NOT %s LIMIT %s))', older,
    living, older, living, most);
  GET DIAGNOSTICS count = ROW_COUNT;
  RETURN count;
END`,

  /**
   * Looks into the index for all tenants, which a policy forbids where the operator might leak: for the caller's alone. ROWS:
   * lists ask only for words that are rare, and should look the few up, rather than read all there are.
   */
  'posthorn_dead_letters_with(words text, OUT delivery_id text, OUT accepted_at timestamptz) RETURNS SETOF record LANGUAGE sql STABLE ROWS 50': `
  SELECT l.delivery_id, l.accepted_at FROM dead_letters l
  WHERE to_tsvector('simple', regexp_replace(
      coalesce(last_status::text, '') || ' ' || coalesce(last_error, ''), '[^[:alnum:]]+', ' ', 'g'))
    @@ to_tsquery('simple', nullif(regexp_replace(
      btrim(regexp_replace(words, '[^[:alnum:]]+', ' ', 'g')), ' ', ':* & ', 'g') || ':*', ':*'))
    AND tenant_id = coalesce(nullif(current_setting('posthorn.tenant', true), ''), tenant_id)
  OFFSET 0`,
} as const;

/** Who may call it, beside the owner; all others who call what is not here call it from one of these. */
const callers: Readonly<Record<string, string>> = {
  posthorn_parts: 'posthorn_app',
  posthorn_make_parts: 'posthorn_app',
  posthorn_drop_part: 'posthorn_app',
  posthorn_expire_older: 'posthorn_app',
  posthorn_dead_letters_with: 'posthorn_app, posthorn_tenant, posthorn_endpoints',
};

const functionOf = ([head, body]: [string, string]): string => {
  const name = head.slice(0, head.indexOf('('));
  const timeout = name === 'posthorn_dead_letters_with' ? '' : `SET lock_timeout = '500ms'`;
  return `
DO $do$
BEGIN
  EXECUTE 'CREATE FUNCTION ' || $head$${head}$head$ || format(' SECURITY DEFINER SET search_path = %I, pg_temp ${timeout.replaceAll("'", "''")} AS ',
    current_schema()) || quote_literal($body$${body}
$body$);
END
$do$;
REVOKE EXECUTE ON FUNCTION ${name} FROM PUBLIC;
${callers[name] === undefined ? '' : `GRANT EXECUTE ON FUNCTION ${name} TO ${callers[name]};`}`;
};

export const partFunctions = Object.entries(bodies).map(functionOf).join('\n');
