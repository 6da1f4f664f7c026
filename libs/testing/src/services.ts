import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { containerEngineAnswers, startContainers } from './containers.js';
// Not `#libs/runtime`: Vitest loads its global setup without our condition `source`.
import { startRuntime, type Runtime, type RuntimeAddresses } from '../../runtime/src/index.js';

/** `folder`: where the embedded ones keep all that they write; null for others. */
export interface TestServices extends Runtime {
  readonly folder: string | null;
}

/**
 * The three services for a test run: the user's own where the environment names them; the missing ones in containers
 * where an engine answers, else by the embedded runtime in a temporary folder.
 */
export async function startServices(environment: NodeJS.ProcessEnv): Promise<TestServices> {
  const own: Partial<RuntimeAddresses> = {
    ...named('kafkaBrokers', environment['KAFKA_BROKERS']),
    ...named('schemaRegistryUrl', environment['SCHEMA_REGISTRY_URL']),
    ...named('databaseUrl', environment['DATABASE_URL']),
  };
  const { kafkaBrokers, schemaRegistryUrl, databaseUrl } = own;
  if (kafkaBrokers !== undefined && schemaRegistryUrl !== undefined && databaseUrl !== undefined) {
    return { kafkaBrokers, schemaRegistryUrl, databaseUrl, folder: null, stop: () => Promise.resolve() };
  }
  if (await containerEngineAnswers()) return { ...(await startContainers(own)), folder: null };
  const dataDir = mkdtempSync(join(tmpdir(), 'posthorn-test-'));
  const remove = (): void => rmSync(dataDir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  try {
    const runtime = await startRuntime({ dataDir, own, fast: true });
    return { ...runtime, folder: dataDir, stop: () => runtime.stop().finally(remove) };
  } catch (error) {
    remove();
    throw error;
  }
}

/** An address that is set and not empty, under its name. */
function named<K extends keyof RuntimeAddresses>(name: K, value: string | undefined): Partial<RuntimeAddresses> {
  return value === undefined || value === '' ? {} : { [name]: value };
}
