/**
 * The projection of attempts and dead letters. No foreign keys: all of it is a fold over the log and can be dropped and
 * rebuilt. Expiry deletes in batches by age, which the BRIN indexes find without costing the writes anything to speak of.
 */
export const deliveryLog = /* sql */ `
CREATE TABLE deliveries (
  delivery_id         text PRIMARY KEY,
  webhook_id          text NOT NULL,
  tenant_id           text NOT NULL,
  endpoint_id         text NOT NULL,
  stream              text NOT NULL,
  event_id            text NOT NULL,
  event_source        text NOT NULL,
  event_type          text NOT NULL,
  status              text NOT NULL CHECK (status IN ('pending', 'delivered', 'dead-lettered', 'dropped')),
  attempts            integer NOT NULL,
  accepted_at         timestamptz(3) NOT NULL,
  dispatched_at       timestamptz(3) NOT NULL,
  first_attempt_at    timestamptz(3),
  last_attempt_at     timestamptz(3),
  completed_at        timestamptz(3),
  next_attempt_at     timestamptz(3),
  last_status         integer,
  last_error_kind     text,
  last_error_message  text,
  dead_letter_reason  text
);
-- The lists are ordered by (accepted_at, delivery_id); the few rows of one millisecond are sorted when read, which
-- keeps the ids, longer than all the rest, out of the indexes.
CREATE INDEX deliveries_by_age ON deliveries (accepted_at);
CREATE INDEX deliveries_by_tenant ON deliveries (tenant_id, accepted_at);
CREATE INDEX deliveries_by_endpoint ON deliveries (endpoint_id, accepted_at);
CREATE INDEX deliveries_not_delivered ON deliveries (status, accepted_at) WHERE status <> 'delivered';

-- One row per record of the attempts topic, named by its place there: projecting it again gives the same row.
CREATE TABLE attempts (
  log_partition       integer NOT NULL,
  log_offset          bigint NOT NULL,
  logged_at           timestamptz(3) NOT NULL,
  delivery_id         text NOT NULL,
  number              integer NOT NULL,
  config_version      bigint NOT NULL,
  started_at          timestamptz(3) NOT NULL,
  duration_ms         integer NOT NULL,
  url                 text NOT NULL,
  request_headers     json NOT NULL,
  response_status     integer,
  response_headers    json,
  response_body       bytea,
  response_truncated  boolean,
  error_kind          text,
  error_message       text,
  outcome             text NOT NULL,
  final               boolean NOT NULL,
  dead_letter_reason  text,
  due_at              timestamptz(3),
  worker_id           text NOT NULL,
  PRIMARY KEY (log_partition, log_offset)
);
CREATE INDEX attempts_by_delivery ON attempts (delivery_id);
CREATE INDEX attempts_by_age ON attempts USING brin (logged_at);

-- Counts only where the delivery's status is dead-lettered. The payload stays in the topic, at this place.
CREATE TABLE dead_letters (
  delivery_id    text PRIMARY KEY,
  tenant_id      text NOT NULL,
  endpoint_id    text NOT NULL,
  reason         text NOT NULL,
  given_up_at    timestamptz(3) NOT NULL,
  last_status    integer,
  last_error     text,
  log_partition  integer NOT NULL,
  log_offset     bigint NOT NULL,
  logged_at      timestamptz(3) NOT NULL
);
CREATE INDEX dead_letters_by_age ON dead_letters USING brin (logged_at);

-- Everything below position is in the tables above: written in the same transaction.
CREATE TABLE projection_positions (
  topic      text NOT NULL,
  partition  integer NOT NULL,
  position   bigint NOT NULL,
  PRIMARY KEY (topic, partition)
);
`;
