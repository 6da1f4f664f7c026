import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { loadConfig, projectRoot } from '#libs/config';

/** What an upstream service must know of Posthorn. */
export interface UpstreamAddresses {
  readonly brokers: readonly string[];
  /** Base URL of the schema registry's Confluent API. */
  readonly registryUrl: string;
  readonly topic: string;
}

/** The services that the environment names, else those of a platform that runs here (`npm start`). */
export function upstreamAddresses(): UpstreamAddresses {
  const config = loadConfig();
  const running = readRunning(join(resolve(projectRoot(), config.dataDir), 'addresses.json'));
  const brokers = config.kafkaBrokers.length > 0 ? config.kafkaBrokers : (running.kafkaBrokers?.split(',') ?? []);
  const registryUrl = config.schemaRegistryUrl === '' ? (running.schemaRegistryUrl ?? '') : config.schemaRegistryUrl;
  if (brokers.length === 0 || registryUrl === '') {
    throw new Error(
      'no broker and schema registry: set KAFKA_BROKERS and SCHEMA_REGISTRY_URL, or run `npm start` first',
    );
  }
  return { brokers, registryUrl, topic: `${config.topicPrefix}.events` };
}

function readRunning(file: string): { kafkaBrokers?: string; schemaRegistryUrl?: string } {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as ReturnType<typeof readRunning>) : {};
}
