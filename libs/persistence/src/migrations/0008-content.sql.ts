/** What endpoints receive: filters, versions, formats, batches, transformations; what dispatchers counted of them. */
export const content = /* sql */ `
ALTER TABLE endpoints
  -- JSON text, as its author wrote it, in one canonical form.
  ADD COLUMN filters            text,
  ADD COLUMN versions           jsonb NOT NULL DEFAULT '{}',
  -- Endpoints that are there already got the newest version until now.
  ADD COLUMN latest_by_default  boolean NOT NULL DEFAULT true,
  ADD COLUMN format             text NOT NULL DEFAULT 'structured'
    CHECK (format IN ('structured', 'binary', 'standard', 'data')),
  ADD COLUMN headers            jsonb NOT NULL DEFAULT '{}',
  ADD COLUMN compression        text NOT NULL DEFAULT 'none' CHECK (compression IN ('none', 'gzip')),
  ADD COLUMN batch              jsonb,
  ADD COLUMN transformation_id  text;
CREATE INDEX endpoints_by_transformation ON endpoints (transformation_id) WHERE transformation_id IS NOT NULL;

-- Where in a batch it was POSTed; null: alone.
ALTER TABLE attempts
  ADD COLUMN batch_id     text,
  ADD COLUMN batch_size   integer,
  ADD COLUMN batch_place  integer;

-- Counted by dispatchers, not exactly: a crash forgets what was not written yet. No reference to endpoints, which need not
-- be locked for it.
CREATE TABLE endpoint_faults (
  endpoint_id  text NOT NULL,
  kind         text NOT NULL CHECK (kind IN ('filter', 'transformation', 'cancelled')),
  count        bigint NOT NULL,
  last_at      timestamptz(3) NOT NULL,
  last_detail  text NOT NULL,
  PRIMARY KEY (endpoint_id, kind)
);
`;
