import type { Config } from '#libs/config';
import { replayPrefix, tenantKey, topicNames, transformationPrefix } from '#libs/contracts';
import { connectDatabase, publishAll } from '#libs/persistence';
import { connectBrokers } from './broker.js';
import type { Report } from './report.js';

/**
 * Has a running api append every tenant, endpoint, transformation and open replay to the endpoints topic once more, as Postgres has them, and delete
 * there what Postgres has not: after a move to a cluster, or a database, that is behind the other.
 */
export async function publishConfiguration(config: Config, report: Report): Promise<void> {
  const place = { topic: topicNames(config.topicPrefix).endpoints, partition: 0 };
  const reader = connectBrokers(config).reader();
  const database = await connectDatabase(config.databaseUrl);
  try {
    const [bounds] = await reader.bounds([place]);
    const keys = new Set<string>();
    for await (const records of reader.range(place, bounds?.start ?? 0, bounds?.end ?? 0)) {
      for (const { key, value } of records) {
        const name = key?.toString('utf8') ?? '';
        // Other kinds of records are not the outbox's.
        if (value === null || name === '') keys.delete(name);
        else if (!name.includes(':') || ours.some((prefix) => name.startsWith(prefix))) keys.add(name);
      }
    }
    const count = await publishAll(database, [...keys], Date.now());
    report(`${count} records for ${place.topic} wait for an api to publish them`);
  } finally {
    await Promise.all([database.close(), reader.close()]);
  }
}

const ours = [tenantKey(''), replayPrefix, transformationPrefix];
