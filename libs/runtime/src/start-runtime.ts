import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Child } from './child-process.js';
import { isDownloaded, kafkaJars, registryJar } from './downloads.js';
import { freePorts } from './free-port.js';
import { combinedNodeSettings, COORDINATOR_PARTITIONS, startKafkaNode } from './kafka-node.js';
import { kafkaAnswers } from './kafka-ready.js';
import { takeLock } from './lock.js';
import type { Runtime, RuntimeAddresses, RuntimeOptions } from './ports.js';
import { POSTGRES_ROLE, postgresUrl, startPostgres } from './postgres.js';
import { checkPrerequisites } from './prerequisites.js';
import { registryUrl, startRegistry } from './registry.js';

const POSTHORN_DATABASE = 'posthorn';
const REGISTRY_DATABASE = 'apicurio';

/** A polite end for Kafka and the registry; then PostgreSQL, which both or their users may need until then. */
const GRACE_MS = 3000;
const POSTGRES_GRACE_MS = 1500;

/** What lasts with a data folder: clients may keep the addresses over restarts. */
interface Identity {
  readonly ports: readonly [kafka: number, controller: number, registry: number, postgres: number];
  readonly password: string;
}

/**
 * Starts those of Kafka, the schema registry and PostgreSQL that `options.own` does not name, on loopback, with their
 * data in `options.dataDir`, and waits until each really answers.
 *
 * @throws Error when the folder is in use, something needed is missing on this machine, or a service does not start;
 *   then nothing of it is left running.
 */
export async function startRuntime(options: RuntimeOptions): Promise<Runtime> {
  const own = options.own ?? {};
  const need = {
    kafka: own.kafkaBrokers === undefined,
    registry: own.schemaRegistryUrl === undefined,
    postgres: own.databaseUrl === undefined,
  };
  const progress = options.onProgress ?? (() => undefined);
  if (need.kafka || need.registry) {
    await checkPrerequisites({ maven: !isDownloaded(need), onProgress: progress });
  }
  const folder = resolve(options.dataDir);
  mkdirSync(folder, { recursive: true });
  const lock = takeLock(folder);
  const started: { postgres?: Child; others: Child[] } = { others: [] };
  const stop = once(async () => {
    try {
      await Promise.all(started.others.map((child) => child.stop(GRACE_MS)));
      await started.postgres?.stop(POSTGRES_GRACE_MS);
    } finally {
      lock.release();
    }
  });
  try {
    const jars = need.kafka ? await kafkaJars(progress) : '';
    const jar = need.registry ? await registryJar(progress) : '';
    const { ports, password } = await identity(folder);
    const [kafkaPort, controllerPort, registryPort, postgresPort] = ports;
    const postgres = { folder: join(folder, 'postgres'), port: postgresPort, password, fast: options.fast ?? false };

    const kafka = async (): Promise<void> => {
      if (!need.kafka) return;
      const settings = combinedNodeSettings(kafkaPort, controllerPort);
      const node = { title: 'Kafka', jars, folder: join(folder, 'kafka'), settings, heapMb: 512 };
      const child = await startKafkaNode(node);
      started.others.push(child);
      await child.untilReady(() => kafkaAnswers([`127.0.0.1:${kafkaPort}`], COORDINATOR_PARTITIONS), 60_000);
      progress(`Kafka answers at 127.0.0.1:${kafkaPort}`);
    };
    const databaseThenRegistry = async (): Promise<void> => {
      // The registry keeps its schemas in a database of its own, also where the user has named one for Posthorn.
      if (need.postgres || need.registry) {
        started.postgres = await startPostgres({ ...postgres, databases: [POSTHORN_DATABASE, REGISTRY_DATABASE] });
        progress(`PostgreSQL answers at 127.0.0.1:${postgresPort}`);
      }
      if (!need.registry) return;
      const storage = { port: postgresPort, database: REGISTRY_DATABASE, user: POSTGRES_ROLE, password };
      started.others.push(await startRegistry({ jar, folder: join(folder, 'registry'), port: registryPort, storage }));
      progress(`Schema registry answers at ${registryUrl(registryPort)}`);
    };
    const results = await Promise.allSettled([kafka(), databaseThenRegistry()]);
    for (const result of results) if (result.status === 'rejected') throw result.reason;

    const addresses: RuntimeAddresses = {
      kafkaBrokers: own.kafkaBrokers ?? `127.0.0.1:${kafkaPort}`,
      schemaRegistryUrl: own.schemaRegistryUrl ?? registryUrl(registryPort),
      databaseUrl: own.databaseUrl ?? postgresUrl(postgres, POSTHORN_DATABASE),
    };
    return { ...addresses, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The ports and the password of a data folder: those of the last time, as far as the ports are still free. */
async function identity(folder: string): Promise<Identity> {
  const file = join(folder, 'runtime.json');
  const last = existsSync(file) ? readIdentity(readFileSync(file, 'utf8')) : undefined;
  const [kafka = 0, controller = 0, registry = 0, postgres = 0] = await freePorts(4, last?.ports);
  const password = last?.password ?? randomBytes(16).toString('hex');
  const now: Identity = { ports: [kafka, controller, registry, postgres], password };
  writeFileSync(file, JSON.stringify(now), { mode: 0o600 });
  return now;
}

function readIdentity(text: string): { ports: number[]; password: string } | undefined {
  const stored: unknown = JSON.parse(text);
  if (typeof stored !== 'object' || stored === null || !('ports' in stored) || !('password' in stored))
    return undefined;
  return { ports: Array.isArray(stored.ports) ? stored.ports.map(Number) : [], password: String(stored.password) };
}

/** The same promise for every call. */
function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => (done ??= work());
}
