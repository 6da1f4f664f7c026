import { byEndpoint, change, policiesOf } from './confined-tables.js';

/** What a request of a tenant may see and change; see confined-tables. */
export const verificationTables = [byEndpoint('endpoint_verifications', change)];

/** Whether endpoints want what is sent to them, and what is done to find out. */
export const endpointVerification = /* sql */ `
-- Null: it need not be verified.
ALTER TABLE endpoints ADD COLUMN verification jsonb;

-- What there is fits, so it need not be looked at.
ALTER TABLE endpoint_versions
  DROP CONSTRAINT endpoint_versions_change_check,
  ADD CONSTRAINT endpoint_versions_change_check CHECK (change IN
    ('created', 'updated', 'disabled', 'resolved', 'verified', 'verification-failed', 'deleted', 'found')) NOT VALID;

-- Of each endpoint that is to be verified, the tries for the URL and method of one revision.
CREATE TABLE endpoint_verifications (
  endpoint_id    text PRIMARY KEY REFERENCES endpoints ON DELETE CASCADE,
  round          integer NOT NULL,
  -- Those that were begun without anybody asking for it.
  tries          integer NOT NULL DEFAULT 0,
  -- Of the next of those; null: none follows.
  due_at         timestamptz(3),
  -- Who is at it, and until when nobody else may be.
  claim          text,
  claimed_until  timestamptz(3),
  -- The last request and its answer. Not jsonb, which does not take every character.
  last           json
);
CREATE INDEX endpoint_verifications_due ON endpoint_verifications (due_at) WHERE due_at IS NOT NULL;

${verificationTables.map(policiesOf).join(';\n')};
GRANT SELECT, INSERT, UPDATE, DELETE ON endpoint_verifications TO posthorn_app;
`;
