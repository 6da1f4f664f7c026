/** Where endpoints stand that do not follow their source partitions live (DESIGN §5), and who may move them. */
export const cursors = /* sql */ `
-- Raised by whoever takes the partition over: each later write requires that it is still the one found then.
CREATE TABLE source_partitions (
  partition  integer PRIMARY KEY,
  epoch      bigint NOT NULL
);

-- No reference to endpoints: a deleted one's run must still be ended in the log, by the partition's owner.
CREATE TABLE cursors (
  endpoint_id       text NOT NULL,
  source_partition  integer NOT NULL,
  run               text NOT NULL,
  kind              text NOT NULL CHECK (kind IN ('freeze', 'backfill')),
  reason            text NOT NULL CHECK (reason IN ('paused', 'disabled', 'overflow', 'circuit', 'backfill')),
  incarnation       integer NOT NULL,
  started_at        bigint NOT NULL,
  position          bigint NOT NULL,
  -- The endpoint is live again; the end record of the run is due.
  ended             boolean NOT NULL DEFAULT false,
  created_at        timestamptz(3) NOT NULL,
  updated_at        timestamptz(3) NOT NULL,
  PRIMARY KEY (endpoint_id, source_partition, run)
);
CREATE UNIQUE INDEX cursors_in_force ON cursors (endpoint_id, source_partition) WHERE NOT ended;
CREATE INDEX cursors_by_partition ON cursors (source_partition);

-- Run of the endpoint's first cursors; null when it began live.
ALTER TABLE endpoints ADD COLUMN backfill text;
`;
