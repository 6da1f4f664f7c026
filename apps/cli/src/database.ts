import type { Config } from '#libs/config';
import { connectDatabase, type Database } from '#libs/persistence';

/** Connects, works, and closes the connection whatever comes of it. */
export async function withDatabase<T>(config: Config, work: (database: Database) => Promise<T>): Promise<T> {
  const database = await connectDatabase(config.databaseUrl);
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}
