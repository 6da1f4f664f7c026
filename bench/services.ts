import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { startRuntime, type Runtime, type RuntimeAddresses } from '#libs/runtime';
import { commandLine, findChildren } from './process-usage.js';
import { ReceiverProcess } from './receiver-process.js';

/** What stays up for the whole bench: the embedded runtime in a temporary folder, and the receiver. */
export interface Services {
  /** First part of the names of topics and databases. */
  readonly name: string;
  readonly runtime: RuntimeAddresses;
  readonly receiver: ReceiverProcess;
  readonly folder: string;
  /** Process ids of the runtime, by name. */
  readonly pids: Readonly<Record<string, number>>;
  /** Version of the embedded Kafka; null when it could not be told. */
  readonly kafkaVersion: string | null;
  /** Ends what runs on these services; called before they stop. */
  readonly users: Set<() => Promise<void>>;
  stop(): Promise<void>;
}

export async function startServices(say: (line: string) => void): Promise<Services> {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-bench-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  let runtime: Runtime | undefined;
  try {
    runtime = await startRuntime({ dataDir: join(folder, 'data'), fast: true, onProgress: say });
    const receiver = await ReceiverProcess.start();
    const pids = findChildren({ kafka: 'kafka.Kafka', registry: 'apicurio', postgres: 'postgres' });
    const started = runtime;
    const users = new Set<() => Promise<void>>();
    return {
      name: 'bench',
      users,
      runtime,
      receiver,
      folder,
      pids,
      kafkaVersion: pids['kafka'] === undefined ? null : kafkaVersionOf(pids['kafka']),
      stop: async () => {
        await Promise.all([...users].map((end) => end()));
        await Promise.all([receiver.stop(), started.stop()]);
        remove();
      },
    };
  } catch (error) {
    await runtime?.stop();
    remove();
    throw error;
  }
}

/** A fresh database on the runtime's server. @returns its URL */
export async function createDatabase(server: string, name: string): Promise<string> {
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  try {
    await client.query(`CREATE DATABASE ${name}`);
  } finally {
    await client.end();
  }
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}

/** By the jar that it runs from. */
function kafkaVersionOf(pid: number): string | null {
  const args = commandLine(pid);
  const classPath = args[args.indexOf('-cp') + 1] ?? '';
  try {
    const versions = readdirSync(dirname(classPath)).map((name) => /^kafka_2\.13-(.+)\.jar$/.exec(name)?.[1]);
    return versions.find((version) => version !== undefined) ?? null;
  } catch {
    return null;
  }
}
