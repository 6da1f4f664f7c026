/** Flow control and growing retries of endpoints; halted deliveries and what was decided of them. */
export const flowAndHalts = /* sql */ `
ALTER TABLE endpoints
  ADD COLUMN on_exhausted          text NOT NULL DEFAULT 'skip' CHECK (on_exhausted IN ('skip', 'halt')),
  ADD COLUMN adaptive_concurrency  boolean NOT NULL DEFAULT true,
  ADD COLUMN rate_limit            jsonb,
  ADD COLUMN circuit               jsonb,
  ADD COLUMN retry_kind            text NOT NULL DEFAULT 'schedule' CHECK (retry_kind IN ('schedule', 'exponential')),
  ADD COLUMN retry_base_ms         bigint NOT NULL DEFAULT 0,
  ADD COLUMN retry_factor          double precision NOT NULL DEFAULT 1,
  ADD COLUMN retry_max_attempts    integer NOT NULL DEFAULT 0,
  ADD COLUMN retry_jitter_kind     text NOT NULL DEFAULT 'proportional'
    CHECK (retry_jitter_kind IN ('proportional', 'full', 'equal')),
  ADD COLUMN retry_max_total_ms    bigint;

ALTER TABLE deliveries
  DROP CONSTRAINT deliveries_status_check,
  ADD CONSTRAINT deliveries_status_check
    CHECK (status IN ('pending', 'halted', 'delivered', 'dead-lettered', 'dropped')),
  ADD COLUMN ordering_key  text,
  ADD COLUMN halted_at     timestamptz(3);
CREATE INDEX deliveries_halted ON deliveries (endpoint_id, accepted_at) WHERE status = 'halted';

-- No reference to deliveries: those are a projection, which may be dropped and rebuilt.
CREATE TABLE halt_resolutions (
  endpoint_id  text NOT NULL REFERENCES endpoints (id) ON DELETE CASCADE,
  delivery_id  text NOT NULL,
  action       text NOT NULL CHECK (action IN ('release', 'skip')),
  decided_at   timestamptz(3) NOT NULL,
  PRIMARY KEY (endpoint_id, delivery_id)
);
`;
