import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { apiApp } from '#apps/api';
import { deploy } from '#apps/cli';
import { dispatcherApp } from '#apps/dispatcher';
import { projectorApp } from '#apps/projector';
import { workerApp } from '#apps/worker';
import { loadConfig, projectRoot, type Config } from '#libs/config';
import { createLogger, type Logger } from '#libs/observability';
import { exitOnBug, onStopSignal, reportStartFailure, startApp, type AppDefinition } from '#libs/platform';
import { startRuntime } from '#libs/runtime';
import { standaloneKeys } from './keys.js';

const parts = [apiApp, dispatcherApp, workerApp, projectorApp];

/** All four apps in one process and behind one HTTP server. */
const standaloneApp: AppDefinition = {
  name: 'standalone',
  modules: parts.flatMap((part) => part.modules),
  port: (config) => config.apiPort,
  ...(apiApp.refuse === undefined ? {} : { refuse: apiApp.refuse }),
  ...(apiApp.refuseUnread === undefined ? {} : { refuseUnread: apiApp.refuseUnread }),
  async configure(app, config) {
    for (const part of parts) await part.configure?.(app, config);
  },
};

/** Where everything answers, for people and for the demo. */
interface Addresses {
  readonly apiUrl: string;
  readonly kafkaBrokers: string;
  readonly schemaRegistryUrl: string;
  readonly databaseUrl: string;
  readonly operatorKey: string;
}

/**
 * What `npm start` runs: starts what the user has not named (Kafka, registry, PostgreSQL), deploys topics, schemas and
 * tables, then the four apps in this process. A parent that spawned it with an IPC channel gets
 * `{type:'ready', …Addresses}`; the same stands in `addresses.json` in the data folder.
 */
export async function runStandalone(): Promise<void> {
  let release: () => Promise<void> = () => Promise.resolve();
  try {
    const given = loadConfig();
    const logger = createLogger({ name: 'standalone', level: given.logLevel });
    exitOnBug(logger);
    const dataDir = resolve(projectRoot(), given.dataDir);
    let stopping: Promise<void> | undefined;
    onStopSignal(logger, () => (stopping ??= release()));

    const runtime = await startRuntime({ dataDir, own: ownServices(given), onProgress: (line) => logger.info(line) });
    release = () => runtime.stop();
    const config = completed(withLocalReceivers(given, logger), dataDir, runtime);
    await deploy(config, (line) => logger.info(line));
    const running = await startApp(standaloneApp, config, logger);
    release = async () => {
      await running.close();
      await runtime.stop();
    };
    announce(dataDir, logger, {
      apiUrl: running.url,
      kafkaBrokers: runtime.kafkaBrokers,
      schemaRegistryUrl: runtime.schemaRegistryUrl,
      databaseUrl: runtime.databaseUrl,
      operatorKey: config.operatorKey,
    });
  } catch (error) {
    await release().catch((cause: unknown) => process.stderr.write(`could not stop cleanly: ${String(cause)}\n`));
    reportStartFailure('standalone', error);
  }
}

const ownServices = (config: Config) => ({
  ...(config.kafkaBrokers.length > 0 ? { kafkaBrokers: config.kafkaBrokers.join(',') } : {}),
  ...(config.schemaRegistryUrl === '' ? {} : { schemaRegistryUrl: config.schemaRegistryUrl }),
  ...(config.databaseUrl === '' ? {} : { databaseUrl: config.databaseUrl }),
});

/**
 * A newcomer's first endpoint is on this machine. Over the embedded broker, which is no deployment, such endpoints may be
 * sent to unless POSTHORN_ALLOWED_RANGES says otherwise; a deployment names its broker, and opens nothing by itself.
 */
export function withLocalReceivers(given: Config, log: Pick<Logger, 'warn'>): Config {
  if (given.kafkaBrokers.length > 0 || given.allowedRanges.length > 0) return given;
  log.warn(
    'embedded broker: endpoints may be on this machine, over http; POSTHORN_ALLOWED_RANGES=none forbids it, as in a deployment',
  );
  return { ...given, allowHttp: true, allowedRanges: ['127.0.0.0/8', '::1'] };
}

/** The user's configuration, with the addresses of what was started for him and the keys that he has not set. */
function completed(
  given: Config,
  dataDir: string,
  runtime: { kafkaBrokers: string; schemaRegistryUrl: string; databaseUrl: string },
): Config {
  const keys = given.operatorKey === '' || given.masterKeys === '' ? standaloneKeys(dataDir) : given;
  const embeddedBroker = given.kafkaBrokers.length === 0;
  return {
    ...given,
    kafkaBrokers: runtime.kafkaBrokers.split(','),
    schemaRegistryUrl: runtime.schemaRegistryUrl,
    databaseUrl: runtime.databaseUrl,
    operatorKey: given.operatorKey === '' ? keys.operatorKey : given.operatorKey,
    masterKeys: given.masterKeys === '' ? keys.masterKeys : given.masterKeys,
    // The embedded broker is one node.
    ...(embeddedBroker ? { replicationFactor: 1, minInSyncReplicas: 1 } : {}),
  };
}

function announce(dataDir: string, logger: Logger, addresses: Addresses): void {
  const file = join(dataDir, 'addresses.json');
  writeFileSync(file, `${JSON.stringify(addresses, null, 2)}\n`, { mode: 0o600 });
  logger.info(
    { apiUrl: addresses.apiUrl, kafkaBrokers: addresses.kafkaBrokers },
    `ready; addresses and operator key: ${file}`,
  );
  process.send?.({ type: 'ready', ...addresses });
}
