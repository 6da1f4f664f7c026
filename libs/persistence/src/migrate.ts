import { connectDatabase, type Session } from './database.js';
import { migrations, type Migration } from './migrations/index.js';

/** Any number that nobody else in this database uses for an advisory lock. */
const migrationLock = 7_406_001;

/**
 * Brings the tables up to date. Several processes may do it at once: one works, the others wait and find it done.
 * All of it is one transaction: a failure leaves what was there.
 * @returns the names of what was applied now; empty when all was up to date.
 * @throws Error when the database was made by a newer version.
 */
export async function migrate(databaseUrl: string): Promise<string[]> {
  // Building an index on a large table takes longer than any query of daily life.
  const database = await connectDatabase(databaseUrl, { poolSize: 1, statementTimeoutMs: 0 });
  try {
    return await database.transaction(async (session) => {
      await session.query('SELECT pg_advisory_xact_lock($1)', [migrationLock]);
      const pending = await pendingMigrations(session);
      for (const migration of pending) await apply(session, migration);
      return pending.map(fullName);
    });
  } finally {
    await database.close();
  }
}

async function pendingMigrations(session: Session): Promise<Migration[]> {
  await session.query(`
    CREATE TABLE IF NOT EXISTS migrations (
      number      integer PRIMARY KEY,
      name        text NOT NULL,
      applied_at  timestamptz NOT NULL DEFAULT now()
    )`);
  const applied: { number: number; name: string }[] = await session.query('SELECT number, name FROM migrations');
  const known = new Map(migrations.map((one) => [one.number, one.name]));
  const foreign = applied.find(({ number, name }) => known.get(number) !== name);
  if (foreign !== undefined) {
    throw new Error(`the database has migration ${fullName(foreign)}, which this version of Posthorn does not know`);
  }
  const done = new Set(applied.map(({ number }) => number));
  return migrations.filter(({ number }) => !done.has(number));
}

async function apply(session: Session, { number, name, sql }: Migration): Promise<void> {
  await session.query(sql);
  await session.query('INSERT INTO migrations (number, name) VALUES ($1, $2)', [number, name]);
}

const fullName = ({ number, name }: { number: number; name: string }) => `${String(number).padStart(4, '0')}-${name}`;
