import { Global, Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import type { Config } from '#libs/config';
import { Readiness } from '#libs/observability';
import { connectDatabase, type Database } from '#libs/persistence';
import { CONFIG, DATABASE } from './tokens.js';

/** The database, for the apps that may block on it (api, projector). */
@Global()
@Module({
  providers: [
    {
      provide: DATABASE,
      inject: [CONFIG, Readiness],
      async useFactory(config: Config, readiness: Readiness): Promise<Database> {
        const database = await connectDatabase(config.databaseUrl);
        readiness.add({ name: 'postgres', check: () => database.ping() });
        return database;
      },
    },
  ],
  exports: [DATABASE],
})
export class DatabaseModule implements OnApplicationShutdown {
  constructor(@Inject(DATABASE) private readonly database: Database) {}

  async onApplicationShutdown(): Promise<void> {
    await this.database.close();
  }
}
