/** Every configuration that an endpoint ever had, and where it was published; what became of dead letters. */
export const historyAndDeadLetters = /* sql */ `
-- Append-only. No reference to endpoints: it outlives them. What a revision says stands here once and for all; config is
-- the endpoint as it was then, without the ciphertext of its secrets.
CREATE TABLE endpoint_versions (
  endpoint_id  text NOT NULL,
  revision     integer NOT NULL,
  tenant_id    text NOT NULL,
  change       text NOT NULL CHECK (change IN ('created', 'updated', 'disabled', 'resolved', 'deleted', 'found')),
  changed_at   timestamptz(3) NOT NULL,
  actor        text,
  config       jsonb NOT NULL,
  resolution   jsonb,
  PRIMARY KEY (endpoint_id, revision)
);

-- Which revision the record of the endpoints topic at an offset holds. A revision may have several (the outbox repeats
-- after a crash) or none (a later one was published in its stead). The append time tells apart two logs with the same
-- offsets, as after a move to another cluster.
CREATE TABLE endpoint_publications (
  endpoint_id  text NOT NULL,
  log_offset   bigint NOT NULL,
  appended_at  timestamptz(3) NOT NULL,
  revision     integer NOT NULL,
  PRIMARY KEY (endpoint_id, log_offset, appended_at)
);
CREATE INDEX endpoint_publications_by_revision ON endpoint_publications (endpoint_id, revision);

-- Endpoints that are here already begin their history now. Must say the same as snapshotOf.
INSERT INTO endpoint_versions (endpoint_id, revision, tenant_id, change, changed_at, config)
SELECT e.id, e.revision, e.tenant_id, 'found', e.updated_at, jsonb_build_object(
  'url', e.url, 'eventTypes', e.event_types, 'description', e.description, 'state', e.state,
  'disabledReason', e.disabled_reason, 'ordering', e.ordering, 'onExhausted', e.on_exhausted,
  'maxInFlight', e.max_in_flight, 'adaptiveConcurrency', e.adaptive_concurrency, 'rateLimit', e.rate_limit,
  'circuit', e.circuit, 'timeoutMs', e.timeout_ms,
  'retry', jsonb_build_object(
    'kind', e.retry_kind, 'delaysMs', e.retry_delays_ms, 'baseMs', e.retry_base_ms, 'factor', e.retry_factor,
    'maxAttempts', e.retry_max_attempts, 'jitterKind', e.retry_jitter_kind, 'jitter', e.retry_jitter,
    'maxDelayMs', e.retry_max_delay_ms, 'maxTotalMs', e.retry_max_total_ms),
  'secrets', (
    SELECT coalesce(jsonb_agg(jsonb_build_object(
      'secretId', s.id, 'expiresAt', (extract(epoch FROM s.expires_at) * 1000)::bigint) ORDER BY s.place), '[]')
    FROM endpoint_secrets s WHERE s.endpoint_id = e.id))
FROM endpoints e;

-- What people, or a replay, did about a dead letter; without a row it is open. No reference to deliveries: those are a
-- projection, which may be dropped and rebuilt, and this is not.
CREATE TABLE dead_letter_resolutions (
  delivery_id  text PRIMARY KEY,
  state        text NOT NULL CHECK (state IN ('discarded', 'replayed')),
  reason       text,
  replay_id    text,
  actor        text,
  decided_at   timestamptz(3) NOT NULL,
  CHECK (state <> 'discarded' OR reason IS NOT NULL)
);
CREATE INDEX dead_letter_resolutions_by_state ON dead_letter_resolutions (state);

-- Ordered by (completed_at, delivery_id), for the same reason without the ids as the indexes by accepted_at. A retry
-- changes none of these columns, so its update of the row touches no index, as before.
CREATE INDEX deliveries_dead ON deliveries (completed_at) WHERE status = 'dead-lettered';
CREATE INDEX deliveries_dead_by_tenant ON deliveries (tenant_id, completed_at) WHERE status = 'dead-lettered';
CREATE INDEX deliveries_dead_by_endpoint ON deliveries (endpoint_id, completed_at) WHERE status = 'dead-lettered';
CREATE INDEX deliveries_dead_by_type ON deliveries (event_type, completed_at) WHERE status = 'dead-lettered';
CREATE INDEX deliveries_dead_by_reason ON deliveries (dead_letter_reason, completed_at)
  WHERE status = 'dead-lettered';

-- By words, because that needs no extension. The statements that search say it likewise (errorWords).
CREATE INDEX dead_letters_by_error ON dead_letters USING gin (to_tsvector('simple', regexp_replace(
  coalesce(last_status::text, '') || ' ' || coalesce(last_error, ''), '[^[:alnum:]]+', ' ', 'g')));
`;
