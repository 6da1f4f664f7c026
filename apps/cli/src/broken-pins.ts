import type { Database } from '#libs/persistence';
import type { Removal } from './schema-changes.js';

const byVersion = /* sql */ `
SELECT id, tenant_id FROM endpoints
WHERE (versions ->> $1)::int = $2
   -- Without a pin and without "latest by default" it gets the first version.
   OR ($2 = 1 AND NOT latest_by_default AND NOT versions ? $1 AND event_types && $3)
ORDER BY tenant_id, id`;

const byType = /* sql */ `
SELECT id, tenant_id FROM endpoints
WHERE versions ? $1 OR $1 = ANY (event_types)
ORDER BY tenant_id, id`;

const maxListed = 20;

/** Which endpoints the removals would leave without what they are pinned to: a fault each, with the endpoints named. */
export async function brokenPins(database: Database, removals: readonly Removal[]): Promise<string[]> {
  const faults: string[] = [];
  for (const { type, version } of removals) {
    const rows = await database.session.query<{ id: string; tenant_id: string }[]>(
      version === null ? byType : byVersion,
      version === null ? [type] : [type, version, patternsFor(type)],
    );
    if (rows.length === 0) continue;
    const what = version === null ? `the type ${type}` : `version ${version} of ${type}`;
    const named = rows.slice(0, maxListed).map(({ id, tenant_id: tenant }) => `${id} (${tenant})`);
    const more = rows.length > maxListed ? ` and ${rows.length - maxListed} more` : '';
    faults.push(`${what} is what ${rows.length} endpoints are set to, and would be gone: ${named.join(', ')}${more}`);
  }
  return faults;
}

/** All patterns that a type matches: `*`, `task.*`, `task.updated`. */
function patternsFor(type: string): string[] {
  const parts = type.split('.');
  return ['*', ...parts.slice(1).map((_, index) => `${parts.slice(0, index + 1).join('.')}.*`), type];
}
