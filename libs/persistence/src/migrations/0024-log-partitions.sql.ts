import { confinedTables } from './confined-tables.js';
import { partFunctions } from './log-part-functions.js';

/** Of each table of the log: the time that parts it, the same for all that is ever projected of one row. */
const parted = [
  { table: 'deliveries', time: 'accepted_at', key: 'delivery_id, accepted_at' },
  { table: 'attempts', time: 'logged_at', key: 'log_partition, log_offset, logged_at' },
  { table: 'dead_letters', time: 'accepted_at', key: 'delivery_id, accepted_at' },
] as const;

const policiesOf = (table: string): string => {
  const found = confinedTables.find((one) => one.table === table);
  if (found === undefined) throw new Error(`${table} has no policies`);
  const { rows, narrowed, grant } = found;
  return `
ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY;
CREATE POLICY platform ON ${table} TO posthorn_app USING (true);
CREATE POLICY confined ON ${table} TO posthorn_tenant USING (${rows}) WITH CHECK (${rows});
CREATE POLICY narrowed ON ${table} TO posthorn_endpoints USING (${narrowed}) WITH CHECK (${narrowed});
GRANT SELECT, INSERT, UPDATE, DELETE ON ${table} TO posthorn_app;
GRANT ${grant} ON ${table} TO posthorn_tenant, posthorn_endpoints;
`;
};

/** Must say the same as `errorWords` of delivery-log.ts and of dead-letter-filter.ts. */
const words = (what: string): string => `to_tsvector('simple', regexp_replace(${what}, '[^[:alnum:]]+', ' ', 'g'))`;
const ofDelivery = words(`coalesce(last_error_kind, '') || ' ' || coalesce(last_error_message, '')`);
const ofDeadLetter = words(`coalesce(last_status::text, '') || ' ' || coalesce(last_error, '')`);

const replaceTable = ({ table, time, key }: (typeof parted)[number]): string => `
ALTER TABLE ${table} RENAME TO ${table}_before;
CREATE TABLE ${table} (LIKE ${table}_before INCLUDING DEFAULTS INCLUDING CONSTRAINTS) PARTITION BY RANGE (${time});
ALTER TABLE ${table} ADD PRIMARY KEY (${key});
${policiesOf(table)}`;

/** Parts of a week from the oldest row on, of the last year; the rows that are there; and two weeks ahead. */
const fillTable = ({ table, time }: (typeof parted)[number]): string => `
DO $$
DECLARE
  since timestamptz;
BEGIN
  SELECT date_bin('7 days', greatest(least(min(${time}), now()), now() - interval '1 year'), '2001-01-01 00:00Z')
    INTO since FROM ${table}_before;
  EXECUTE format('CREATE TABLE posthorn_partitions.${table}_older PARTITION OF ${table} FOR VALUES FROM (MINVALUE) TO (%L)', since);
  EXECUTE format('CREATE TABLE posthorn_partitions.${table}_ahead PARTITION OF ${table} FOR VALUES FROM (%L) TO (MAXVALUE)', since);
  PERFORM posthorn_know_part('posthorn_partitions.${table}_older');
  PERFORM posthorn_make_parts('${table}', now() + interval '2 weeks', '7 days');
END
$$;
INSERT INTO ${table} SELECT * FROM ${table}_before;
DROP TABLE ${table}_before;
`;

/**
 * The log in parts of a week or a day, so that what has become old goes with its part and costs no deletes. `_older` takes
 * what is accepted before all others (replays of old events), `_ahead` what is accepted after them: no row is without a
 * place, and the parts follow each other in time, so that a list reads the newest first and stops.
 *
 * Of an index per filter, those of failures hold only what is no success, a twentieth of the rows; docs/decisions/0017.
 */
export const logPartitions = /* sql */ `
CREATE SCHEMA posthorn_partitions;
-- It looks into each part: better for the few rows of a page than for all there are.
ALTER FUNCTION posthorn_sees_delivery COST 5000;
DROP FUNCTION posthorn_dead_letters_with;
DROP STATISTICS deliveries_of_endpoints;
ALTER TABLE deliveries DROP CONSTRAINT deliveries_pkey;
ALTER TABLE attempts DROP CONSTRAINT attempts_pkey;
ALTER TABLE dead_letters DROP CONSTRAINT dead_letters_pkey;

-- When the event was accepted, as its delivery has it: they are joined by both.
ALTER TABLE dead_letters ADD COLUMN accepted_at timestamptz(3);
UPDATE dead_letters l SET accepted_at = coalesce(
  (SELECT min(d.accepted_at) FROM deliveries d WHERE d.delivery_id = l.delivery_id), l.given_up_at);
ALTER TABLE dead_letters ALTER COLUMN accepted_at SET NOT NULL;

${parted.map(replaceTable).join('')}

-- Ordered by (accepted_at, delivery_id); the few rows of one millisecond are sorted when read, which keeps the ids, longer
-- than all the rest, out of the indexes.
DROP INDEX deliveries_by_age, deliveries_by_tenant, deliveries_by_endpoint, deliveries_not_delivered, deliveries_halted,
  deliveries_dead, deliveries_dead_by_tenant, deliveries_dead_by_endpoint, deliveries_dead_by_type, deliveries_dead_by_reason,
  deliveries_replayed, attempts_by_delivery, attempts_by_age, dead_letters_by_age, dead_letters_by_error;
-- By an expression, so that only the list that asks for nothing else takes it: the planner likes to walk through all of time
-- for a value that it takes for frequent, and that the tenant has nothing of.
CREATE INDEX deliveries_by_age ON deliveries ((accepted_at AT TIME ZONE 'UTC'));
CREATE INDEX deliveries_by_tenant ON deliveries (tenant_id, accepted_at);
CREATE INDEX deliveries_by_endpoint ON deliveries (endpoint_id, accepted_at);
CREATE INDEX deliveries_by_type ON deliveries (event_type, accepted_at);
CREATE INDEX deliveries_by_tenant_and_type ON deliveries (tenant_id, event_type, accepted_at);
CREATE INDEX deliveries_by_source ON deliveries (event_source, accepted_at);
CREATE INDEX deliveries_by_event ON deliveries (event_id);
CREATE INDEX deliveries_by_webhook ON deliveries (webhook_id);
CREATE INDEX deliveries_by_key ON deliveries (ordering_key, accepted_at) WHERE ordering_key IS NOT NULL;

CREATE INDEX deliveries_not_delivered ON deliveries (status, accepted_at) WHERE status <> 'delivered';
CREATE INDEX deliveries_not_delivered_by_tenant ON deliveries (tenant_id, status, accepted_at) WHERE status <> 'delivered';
CREATE INDEX deliveries_not_delivered_by_endpoint ON deliveries (endpoint_id, accepted_at) WHERE status <> 'delivered';
CREATE INDEX deliveries_by_answer ON deliveries (last_status, accepted_at) WHERE last_status <> 200;
CREATE INDEX deliveries_by_answer_and_tenant ON deliveries (tenant_id, last_status, accepted_at) WHERE last_status <> 200;
CREATE INDEX deliveries_by_kind ON deliveries (last_error_kind, accepted_at) WHERE last_error_kind IS NOT NULL;
CREATE INDEX deliveries_by_kind_and_tenant ON deliveries (tenant_id, last_error_kind, accepted_at)
  WHERE last_error_kind IS NOT NULL;
CREATE INDEX deliveries_failed ON deliveries (accepted_at) WHERE last_error_kind IS NOT NULL;
CREATE INDEX deliveries_failed_by_tenant ON deliveries (tenant_id, accepted_at) WHERE last_error_kind IS NOT NULL;
-- By words, because that needs no extension. The statements that search say it likewise.
CREATE INDEX deliveries_by_error ON deliveries USING gin (${ofDelivery}) WHERE last_error_kind IS NOT NULL;

CREATE INDEX deliveries_halted ON deliveries (endpoint_id, accepted_at) WHERE status = 'halted';
CREATE INDEX deliveries_dead ON deliveries (completed_at) WHERE status = 'dead-lettered';
CREATE INDEX deliveries_dead_by_tenant ON deliveries (tenant_id, completed_at) WHERE status = 'dead-lettered';
CREATE INDEX deliveries_dead_by_endpoint ON deliveries (endpoint_id, completed_at) WHERE status = 'dead-lettered';
CREATE INDEX deliveries_dead_by_type ON deliveries (event_type, completed_at) WHERE status = 'dead-lettered';
CREATE INDEX deliveries_dead_by_reason ON deliveries (dead_letter_reason, completed_at) WHERE status = 'dead-lettered';
CREATE INDEX deliveries_replayed ON deliveries (stream, status, completed_at) WHERE stream <> 'live';
CREATE INDEX attempts_by_delivery ON attempts (delivery_id);
CREATE INDEX dead_letters_by_error ON dead_letters USING gin (${ofDeadLetter});

${partFunctions}

${parted.map(fillTable).join('')}
`;
