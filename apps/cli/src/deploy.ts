import { resolve } from 'node:path';
import { projectRoot, type Config } from '#libs/config';
import { migrate } from '#libs/persistence';
import { registryOf } from '#libs/platform';
import { applySchemas } from '#libs/schema-codec';
import { createTopics } from './create-topics.js';
import type { Report } from './report.js';

/** Everything that must be there before the apps start: topics, schemas, tables. May be run as often as you like. */
export async function deploy(config: Config, report: Report): Promise<void> {
  await createTopics(config, report);
  await applyAllSchemas(config, report);
  await migrateTables(config, report);
}

/** Registers the platform's schemas and those of the events. */
export async function applyAllSchemas(config: Config, report: Report): Promise<void> {
  const eventsFolder = resolve(projectRoot(), config.eventsDir);
  await applySchemas({ ...registryOf(config), eventsFolder, log: report });
}

export async function migrateTables(config: Config, report: Report): Promise<void> {
  const applied = await migrate(config.databaseUrl);
  report(applied.length === 0 ? 'database: up to date' : `database: applied ${applied.join(', ')}`);
}
