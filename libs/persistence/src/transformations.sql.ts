const columns = 't.id, t.tenant_id, t.name, t.version, t.created_at, t.updated_at';

export const selectTransformation = /* sql */ `
SELECT ${columns}, v.code, v.created_at AS code_changed_at
FROM transformations t JOIN transformation_versions v ON v.transformation_id = t.id AND v.version = t.version
WHERE t.id = $1
`;

/** @param conditions with their keyword, or nothing; @param limit its place */
export const selectTransformations = (conditions: string, limit: string): string => /* sql */ `
SELECT ${columns} FROM transformations t ${conditions} ORDER BY t.created_at, t.id LIMIT ${limit}
`;

export const insertTransformation = /* sql */ `
INSERT INTO transformations (id, tenant_id, name, version, created_at, updated_at) VALUES ($1, $2, $3, 1, $4, $4)
`;

export const updateTransformation = /* sql */ `
UPDATE transformations SET name = $2, version = $3, updated_at = greatest(updated_at, $4) WHERE id = $1
`;

export const insertVersion = /* sql */ `
INSERT INTO transformation_versions (transformation_id, version, code, restored_from, created_at)
VALUES ($1, $2, $3, $4, $5)
`;

/** Newest first. */
export const selectVersions = (conditions: string, limit: string): string => /* sql */ `
SELECT version, restored_from, created_at FROM transformation_versions
${conditions} ORDER BY version DESC LIMIT ${limit}
`;

export const selectVersion = /* sql */ `
SELECT version, restored_from, created_at, code FROM transformation_versions
WHERE transformation_id = $1 AND version = $2
`;
