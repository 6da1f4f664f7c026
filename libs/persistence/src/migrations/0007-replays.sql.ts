/** What is sent again, and how far it is (DESIGN §5). */
export const replays = /* sql */ `
CREATE TABLE replays (
  -- replay:<uuid>
  id             text PRIMARY KEY,
  tenant_id      text NOT NULL,
  source         text NOT NULL CHECK (source IN ('events', 'dead-letters')),
  state          text NOT NULL CHECK (state IN ('running', 'paused', 'cancelled')),
  -- Chosen when it was created; also when the whole tenant was asked for.
  endpoint_ids   text[] NOT NULL,
  event_types    text[],
  filter         jsonb,
  -- Of dead letters: reasons, delivery ids, since, until, words of the error (as asked).
  selection      jsonb,
  rate_limit     jsonb,
  new_ids        boolean NOT NULL,
  as_configured  text NOT NULL CHECK (as_configured IN ('now', 'then')),
  -- As it was asked for, and what of it the log had lost when it began: for people.
  window_asked   jsonb NOT NULL,
  gap            jsonb,
  description    text NOT NULL,
  actor          text,
  revision       integer NOT NULL,
  created_at     timestamptz(3) NOT NULL,
  updated_at     timestamptz(3) NOT NULL,
  -- When all parts were done and every delivery had its final outcome. How many of each is kept with it: nothing has to be
  -- counted again, and the projection may forget.
  finished_at    timestamptz(3),
  delivered      bigint,
  failed         bigint,
  dropped        bigint,
  CHECK (num_nulls(finished_at, delivered, failed, dropped) IN (0, 4))
);
CREATE INDEX replays_by_age ON replays (created_at, id);
CREATE INDEX replays_by_tenant ON replays (tenant_id, created_at, id);
CREATE INDEX replays_unfinished ON replays (id) WHERE finished_at IS NULL;

CREATE TABLE replay_partitions (
  replay_id    text NOT NULL REFERENCES replays (id) ON DELETE CASCADE,
  -- Of the replay's source …
  partition    integer NOT NULL,
  -- … and the partition of events whose owner moves it.
  owned_by     integer NOT NULL,
  incarnation  integer NOT NULL,
  from_offset  bigint NOT NULL,
  to_offset    bigint NOT NULL,
  position     bigint NOT NULL,
  scanned      bigint NOT NULL DEFAULT 0,
  matched      bigint NOT NULL DEFAULT 0,
  sent         bigint NOT NULL DEFAULT 0,
  -- Its end record stands in the log.
  done         boolean NOT NULL DEFAULT false,
  updated_at   timestamptz(3) NOT NULL,
  PRIMARY KEY (replay_id, partition)
);
CREATE INDEX replay_partitions_open ON replay_partitions (owned_by) WHERE NOT done;

-- Progress: how the deliveries of a stream stand, and how fast they end.
CREATE INDEX deliveries_replayed ON deliveries (stream, status, completed_at) WHERE stream <> 'live';
-- What a replay marked, when it has ended.
CREATE INDEX dead_letter_resolutions_by_replay ON dead_letter_resolutions (replay_id) WHERE replay_id IS NOT NULL;
`;
