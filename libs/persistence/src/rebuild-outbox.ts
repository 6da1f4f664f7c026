import { tenantKey, transformationPrefix } from '#libs/contracts';
import type { Database } from './database.js';

const insertAll = /* sql */ `
INSERT INTO outbox (key, created_at)
SELECT key, to_timestamp($2::float8 / 1000.0)
FROM (
  SELECT $1 || id AS key FROM tenants UNION SELECT id FROM endpoints
  UNION SELECT id FROM replays WHERE finished_at IS NULL UNION SELECT * FROM unnest($3::text[])
  UNION SELECT $4 || id FROM transformations
) AS all_keys
WHERE NOT EXISTS (SELECT FROM outbox WHERE outbox.key = all_keys.key)
`;

/**
 * Has every tenant, endpoint, transformation and replay that has not ended published once more, as they are now, for a topic that may lack some.
 * @param known keys that stand in the topic: those that are no more are deleted there
 * @param now Unix ms
 * @returns how many keys an api has to publish now
 */
export async function publishAll(database: Database, known: readonly string[], now: number): Promise<number> {
  await database.session.query(insertAll, [tenantKey(''), now, known, transformationPrefix]);
  const [row]: { count: number }[] = await database.session.query('SELECT count(*)::integer AS count FROM outbox');
  return row?.count ?? 0;
}
