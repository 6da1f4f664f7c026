/** Code of tenants that changes what their endpoints receive. */
export const transformations = /* sql */ `
CREATE TABLE transformations (
  id          text PRIMARY KEY,
  tenant_id   text NOT NULL REFERENCES tenants (id),
  name        text NOT NULL,
  -- The one in use: the newest.
  version     integer NOT NULL,
  created_at  timestamptz(3) NOT NULL,
  updated_at  timestamptz(3) NOT NULL,
  -- For endpoints, which name one of their own tenant.
  UNIQUE (tenant_id, id)
);
CREATE INDEX transformations_by_age ON transformations (created_at, id);
CREATE INDEX transformations_by_tenant ON transformations (tenant_id, created_at, id);

-- Every version that there was; none is ever changed.
CREATE TABLE transformation_versions (
  transformation_id  text NOT NULL REFERENCES transformations (id) ON DELETE CASCADE,
  version            integer NOT NULL,
  code               text NOT NULL,
  -- Whose code it brought back.
  restored_from      integer,
  created_at         timestamptz(3) NOT NULL,
  PRIMARY KEY (transformation_id, version)
);

-- Nobody could make one until now: whatever an endpoint names is not there.
UPDATE endpoints SET transformation_id = NULL WHERE transformation_id IS NOT NULL;
ALTER TABLE endpoints
  ADD CONSTRAINT endpoints_transformation FOREIGN KEY (tenant_id, transformation_id)
  REFERENCES transformations (tenant_id, id);
`;
