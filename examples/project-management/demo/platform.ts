import { createWriteStream, mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadConfig, projectRoot } from '#libs/config';
import { Child } from './child.js';

export interface PlatformAddresses {
  readonly apiUrl: string;
  readonly kafkaBrokers: string;
  readonly schemaRegistryUrl: string;
  readonly databaseUrl: string;
  readonly operatorKey: string;
}

export interface Platform {
  readonly child: Child;
  readonly ready: Promise<PlatformAddresses>;
  readonly eventsTopic: string;
  /** Holds the addresses and the operator key while it runs. */
  readonly addressesFile: string;
  readonly logFile: string;
}

/** Starts `standalone`: the embedded runtime where nothing else is named, and the four apps in one process. */
export async function startPlatform(say: (line: string) => void): Promise<Platform> {
  const config = loadConfig();
  await checkPort(config.host, config.apiPort);
  const folder = resolve(projectRoot(), config.dataDir);
  mkdirSync(folder, { recursive: true });
  const logFile = join(folder, 'demo-platform.log');
  const log = createWriteStream(logFile);
  let starting = true;
  const summary = new StartSummary((line) => say(`  ${line}`));
  const child = new Child({
    title: `platform (its log: ${logFile})`,
    script: '../../apps/standalone/main.js',
    // The demo's receiver is on this machine, also where the services are the user's own.
    environment: {
      POSTHORN_ALLOW_HTTP: 'true',
      POSTHORN_ALLOWED_RANGES: [...config.allowedRanges.filter((range) => range !== 'none'), '127.0.0.0/8'].join(','),
    },
    onLine: (line, from) => {
      log.write(`${line}\n`);
      if (starting && from === 'stderr') say(line);
      else if (starting) summary.add(messageOf(line));
    },
  });
  const ready = child.message<PlatformAddresses>('ready').finally(() => {
    starting = false;
  });
  const addressesFile = join(folder, 'addresses.json');
  return { child, ready, eventsTopic: `${config.topicPrefix}.events`, addressesFile, logFile };
}

/** Passes lines on; of many of one kind (each topic, each schema) only their number. */
export class StartSummary {
  #kind = '';
  #count = 0;

  constructor(private readonly say: (line: string) => void) {}

  add(line: string): void {
    const kind = /^(topic|schema) /.exec(line)?.[1] ?? '';
    if (kind !== this.#kind && this.#count > 0) this.say(`${this.#count} ${this.#kind}s made or checked`);
    if (kind !== this.#kind) this.#count = 0;
    this.#kind = kind;
    if (kind === '') this.say(line);
    else this.#count += 1;
  }
}

/** The message of a JSON log line; a line of any other kind as it is. */
export function messageOf(line: string): string {
  try {
    const { msg, url } = JSON.parse(line) as { msg?: string; url?: string };
    return [msg ?? line, url].filter((part) => part !== undefined).join(' ');
  } catch {
    return line;
  }
}

/**
 * Waits for /readyz: partitions assigned, configuration read. After a `kill -9` the brokers keep the former owner's
 * partitions for the session timeout (10 s).
 * @throws after `timeoutMs`, with what is not ready
 */
export async function untilReady(apiUrl: string, say: (line: string) => void, timeoutMs = 60_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (let looks = 0; ; looks += 1) {
    const response = await fetch(`${apiUrl}/readyz`);
    const answer = await response.text();
    if (response.ok) return;
    if (performance.now() > deadline) throw new Error(`the platform is not ready: ${answer}`);
    if (looks === 10) say('  waiting until its partitions are assigned …');
    await sleep(200);
  }
}

/** Fails at once, in words, instead of after the start of everything else. */
async function checkPort(host: string, port: number): Promise<void> {
  if (port === 0) return;
  const server = createServer();
  await new Promise<void>((free, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const why = cause.code === 'EADDRINUSE' ? 'is taken (does `npm start` or another demo run?)' : cause.message;
      reject(new Error(`port ${port} of ${host} ${why}. POSTHORN_API_PORT names another one.`, { cause }));
    });
    server.listen(port, host, free);
  });
  await new Promise((closed) => server.close(closed));
}
