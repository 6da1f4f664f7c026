import pg from 'pg';

/**
 * Nothing is written to the table as long as `work` takes; it can be read. What dispatchers have sent meanwhile they could
 * not store: whoever comes after them sends it again.
 */
export async function whileUnstored(
  databaseUrl: string,
  table: 'cursors' | 'replay_partitions',
  work: () => Promise<void>,
): Promise<void> {
  const client = new pg.Client(databaseUrl);
  await client.connect();
  try {
    await client.query('BEGIN');
    await client.query(`LOCK TABLE ${table} IN EXCLUSIVE MODE`);
    await work();
  } finally {
    await client.end();
  }
}
