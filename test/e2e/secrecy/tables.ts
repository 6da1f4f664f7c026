import pg from 'pg';
import type { Readable } from '../../oracle/secrecy-oracle.js';

const rowsAtOnce = 2_000;

/** Every row of every table of a database, as text (`bytea` is hex there), a place each; statistics hold samples of rows, too. */
export async function* tablesOf(databaseUrl: string): AsyncGenerator<Readable> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query('BEGIN READ ONLY');
    const { rows: tables } = await client.query<{ name: string }>(
      `SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE c.relkind IN ('r', 'm') AND (n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
         OR c.relname IN ('pg_statistic', 'pg_description', 'pg_db_role_setting'))
       ORDER BY 1`,
    );
    for (const { name } of tables) yield { place: `table ${name}`, pieces: rowsOf(client, name) };
  } finally {
    await client.end();
  }
}

async function* rowsOf(client: pg.Client, table: string): AsyncGenerator<Buffer> {
  await client.query(`DECLARE all_rows NO SCROLL CURSOR FOR SELECT t::text AS row FROM ${table} t`);
  for (;;) {
    const { rows } = await client.query<{ row: string }>(`FETCH ${rowsAtOnce} FROM all_rows`);
    if (rows.length === 0) break;
    yield Buffer.from(`${rows.map(({ row }) => row).join('\n')}\n`);
  }
  await client.query('CLOSE all_rows');
}

/** The URLs of all databases of a server that can be connected to. */
export async function databasesOf(serverUrl: string): Promise<readonly string[]> {
  const client = new pg.Client({ connectionString: serverUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string }>(
      'SELECT datname AS name FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1',
    );
    return rows.map(({ name }) => {
      const url = new URL(serverUrl);
      url.pathname = `/${encodeURIComponent(name)}`;
      return url.href;
    });
  } finally {
    await client.end();
  }
}
