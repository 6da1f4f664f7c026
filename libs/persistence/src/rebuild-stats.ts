import type { Session } from './database.js';
import { addedStats } from './stats.sql.js';

const names = 'tenant_id, endpoint_id, event_type, hour, attempts, failed, delivered, dead_lettered, dropped, latency';

/**
 * Puts the figures that a rebuild has made in place of those in use; part of its swap.
 * @param from Those of hours that began at this time or later, Unix ms or ±Infinity, but what a move has kept; null: all.
 * `added`: after a move to another cluster they are added, and what is there stays for good, since its log is gone.
 */
export async function takeStats(
  session: Session,
  live: string,
  shadow: string,
  from: number | null | 'added',
): Promise<void> {
  if (from === 'added') {
    await session.query(
      `INSERT INTO ${live}.delivery_stats AS s (${names}) SELECT ${names} FROM ${shadow}.delivery_stats ${addedStats}`,
    );
    await session.query(`UPDATE ${shadow}.run SET stats_kept_before =
      greatest(date_trunc('hour', now(), 'UTC'), (SELECT max(hour) FROM ${shadow}.delivery_stats)) + interval '1 hour'`);
    return;
  }
  if (from === null) await session.query(`UPDATE ${shadow}.run SET stats_kept_before = NULL`);
  const taken = `hour >= coalesce(
    greatest(to_timestamp($1::float8 / 1000.0), (SELECT stats_kept_before FROM ${shadow}.run)), '-infinity')`;
  await session.query(`DELETE FROM ${live}.delivery_stats WHERE ${taken}`, [from]);
  await session.query(
    `INSERT INTO ${live}.delivery_stats (${names}) SELECT ${names} FROM ${shadow}.delivery_stats WHERE ${taken}`,
    [from],
  );
}
