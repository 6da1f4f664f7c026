/**
 * Where the projection is rebuilt beside the one in use (see rebuild.ts). Made here and not by the rebuild, which then
 * needs no right to make schemas. `run` says whose turn it is: the tables beside it belong to that run.
 */
export const rebuild = /* sql */ `
CREATE SCHEMA posthorn_rebuild;
CREATE TABLE posthorn_rebuild.run (
  id          text NOT NULL,
  started_at  timestamptz(3) NOT NULL
);
INSERT INTO posthorn_rebuild.run VALUES ('', now());
`;
