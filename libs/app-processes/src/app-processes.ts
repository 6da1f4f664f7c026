import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { childEnvironment, newMasterKeys, newOperatorKey, projectRoot } from '#libs/config';

export type AppName = 'api' | 'dispatcher' | 'worker' | 'projector';
export const appNames: readonly AppName[] = ['api', 'dispatcher', 'worker', 'projector'];

export interface PlatformServices {
  readonly kafkaBrokers: string;
  readonly schemaRegistryUrl: string;
  readonly databaseUrl: string;
}

export interface AppProcessesOptions {
  readonly services: PlatformServices;
  readonly topicPrefix: string;
  /** Where each process writes its log, `<app>-<n>.log`, and what commands say, `cli.log`. */
  readonly logDir: string;
  /** Further settings, by their names in docs/configuration.md. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Told what `request` sent and what was answered: bodies, parsed. */
  readonly onExchange?: (sent: unknown, answered: unknown) => void;
}

export interface AppProcess {
  readonly name: AppName;
  readonly child: ChildProcess;
  readonly url: string;
  readonly logFile: string;
}

const started = 30_000;

/** The built apps as processes of their own (`dist` must be up to date), as an operator would run them. */
export class AppProcesses {
  readonly running = new Set<AppProcess>();
  readonly operatorKey: string;
  /** As in POSTHORN_MASTER_KEYS. */
  readonly masterKeys: string;
  readonly #env: Record<string, string | undefined>;
  #count = 0;

  private constructor(readonly options: AppProcessesOptions) {
    this.operatorKey = newOperatorKey();
    this.masterKeys = newMasterKeys();
    const { services } = options;
    this.#env = childEnvironment({
      KAFKA_BROKERS: services.kafkaBrokers,
      SCHEMA_REGISTRY_URL: services.schemaRegistryUrl,
      DATABASE_URL: services.databaseUrl,
      POSTHORN_TOPIC_PREFIX: options.topicPrefix,
      POSTHORN_OPERATOR_KEY: this.operatorKey,
      POSTHORN_MASTER_KEYS: this.masterKeys,
      POSTHORN_REPLICATION_FACTOR: '1',
      POSTHORN_MIN_INSYNC_REPLICAS: '1',
      POSTHORN_EVENT_PARTITIONS: '4',
      POSTHORN_DELIVERY_PARTITIONS: '4',
      POSTHORN_LOG_LEVEL: 'info',
      // Tests and benches receive on this machine.
      POSTHORN_ALLOW_HTTP: 'true',
      POSTHORN_ALLOWED_RANGES: '127.0.0.0/8',
      POSTHORN_API_PORT: '0',
      POSTHORN_DISPATCHER_PORT: '0',
      POSTHORN_WORKER_PORT: '0',
      POSTHORN_PROJECTOR_PORT: '0',
      ...options.settings,
    });
  }

  /** Settings of what is started from now on. */
  change(settings: Readonly<Record<string, string>>): void {
    Object.assign(this.#env, settings);
  }

  /** Deploys topics, schemas and tables, then starts `apps` and waits until each is ready. */
  static async start(options: AppProcessesOptions, apps: readonly AppName[] = appNames): Promise<AppProcesses> {
    const platform = new AppProcesses(options);
    await platform.cli('deploy');
    try {
      await Promise.all(apps.map((name) => platform.launch(name)));
    } catch (error) {
      await platform.stop();
      throw error;
    }
    return platform;
  }

  /** Runs `posthorn …`; rejects with its output when it fails. */
  async cli(...args: readonly string[]): Promise<string> {
    const child = spawn(process.execPath, [distFile('apps/cli/main.js'), ...args], {
      env: this.#env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const [code] = (await once(child, 'close')) as [number | null];
    appendFileSync(join(this.options.logDir, 'cli.log'), output);
    if (code !== 0) throw new Error(`posthorn ${args.join(' ')} ended with ${code}:\n${output}`);
    return output;
  }

  /** Starts one more process of an app, and waits until `/readyz` answers 200. */
  async launch(name: AppName): Promise<AppProcess> {
    this.#count += 1;
    const logFile = join(this.options.logDir, `${name}-${this.#count}.log`);
    const log = openSync(logFile, 'a');
    const child = spawn(process.execPath, [distFile(`apps/${name}/main.js`)], {
      env: this.#env,
      stdio: ['ignore', log, log, 'ipc'],
    });
    closeSync(log);
    const ended = once(child, 'exit').then(([code, signal]) => {
      throw new Error(`${name} ended with ${String(code ?? signal)} before it was ready:\n${tail(logFile)}`);
    });
    ended.catch(() => undefined);
    const ready = once(child, 'message') as Promise<[{ type: 'ready'; url: string }]>;
    const [{ url }] = await Promise.race([ready, ended]);
    const app: AppProcess = { name, child, url, logFile };
    this.running.add(app);
    child.once('exit', () => this.running.delete(app));
    const deadline = performance.now() + started;
    for (;;) {
      const answer = await fetch(`${url}/readyz`).catch(() => null);
      if (answer?.ok) return app;
      if (performance.now() > deadline || child.exitCode !== null) {
        throw new Error(`${name} is not ready: ${(await answer?.text()) ?? 'no answer'}\n${tail(logFile)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  of(name: AppName): AppProcess {
    const app = [...this.running].find((one) => one.name === name);
    if (!app) throw new Error(`no ${name} is running`);
    return app;
  }

  get apiUrl(): string {
    return this.of('api').url;
  }

  /** SIGKILL, as a power cut would. */
  async kill(app: AppProcess): Promise<void> {
    await end(app, 'SIGKILL');
  }

  /** SIGTERM; resolves with the exit code when it has drained. */
  async terminate(app: AppProcess): Promise<number | null> {
    return end(app, 'SIGTERM');
  }

  /** Stops all, gently first; leaves no process. */
  async stop(): Promise<void> {
    await Promise.all(
      [...this.running].map(async (app) => {
        const timer = setTimeout(() => app.child.kill('SIGKILL'), 8_000);
        await end(app, 'SIGTERM');
        clearTimeout(timer);
      }),
    );
  }

  /** Calls the REST API with the operator's key; JSON in, JSON out. */
  async request<T = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ status: number; headers: Headers; body: T }> {
    const answer = await fetch(this.apiUrl + path, {
      method,
      headers: {
        authorization: `Bearer ${this.operatorKey}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    const answered = (text === '' ? {} : JSON.parse(text)) as T;
    this.options.onExchange?.(body, answered);
    return { status: answer.status, headers: answer.headers, body: answered };
  }
}

const distFile = (path: string): string => join(projectRoot(), 'dist', path);

const tail = (file: string): string => readFileSync(file, 'utf8').split('\n').slice(-30).join('\n');

async function end(app: AppProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (app.child.exitCode !== null || app.child.signalCode !== null) return app.child.exitCode;
  const exit = once(app.child, 'exit') as Promise<[number | null]>;
  app.child.kill(signal);
  const [code] = await exit;
  return code;
}
