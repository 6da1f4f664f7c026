import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { childEnvironment, newMasterKeys, newOperatorKey, projectRoot } from '#libs/config';
import { partitionName, type KafkaLog, type LogReader, type RecordSender, type TopicPartition } from '#libs/kafka';

type App = 'api' | 'dispatcher' | 'worker' | 'projector';

/** The apps as processes, from the sources, on one cluster. */
export class Processes {
  readonly #running = new Map<App, { readonly child: ChildProcess; readonly url: string }>();
  readonly #env: Readonly<Record<string, string>>;
  log = '';

  /** @param keys the same for both clusters */
  constructor(
    env: Readonly<Record<string, string>>,
    readonly keys: Keys,
  ) {
    const ports = ['API', 'DISPATCHER', 'WORKER', 'PROJECTOR'].map((app) => [`POSTHORN_${app}_PORT`, '0'] as const);
    this.#env = {
      POSTHORN_OPERATOR_KEY: keys.operator,
      POSTHORN_MASTER_KEYS: keys.master,
      POSTHORN_LOG_LEVEL: 'warn',
      // The receiver is on loopback.
      POSTHORN_ALLOW_HTTP: 'true',
      POSTHORN_ALLOWED_RANGES: '127.0.0.0/8',
      ...Object.fromEntries(ports),
      ...env,
    };
  }

  /** Starts it and waits until `/readyz` answers 200. */
  async launch(app: App): Promise<void> {
    const args = ['--conditions=source', '--import', 'tsx', `apps/${app}/main.ts`];
    const stdio = ['ignore', 'pipe', 'pipe', 'ipc'] as const;
    const child = spawn(process.execPath, args, {
      cwd: projectRoot(),
      env: childEnvironment(this.#env),
      stdio: [...stdio],
    });
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk: Buffer) => (this.log += `${app}: ${chunk.toString()}`));
    const ended = once(child, 'exit').then(() => Promise.reject(new Error(`${app} ended:\n${this.log.slice(-3_000)}`)));
    ended.catch(() => undefined);
    const [{ url }] = (await Promise.race([once(child, 'message'), ended])) as [{ url: string }];
    this.#running.set(app, { child, url });
    child.once('exit', () => this.#running.delete(app));
    const deadline = performance.now() + 40_000;
    for (;;) {
      const answer = await fetch(`${url}/readyz`).catch(() => null);
      if (answer?.ok === true) return;
      if (performance.now() > deadline)
        throw new Error(`${app} is not ready: ${await answer?.text()}\n${this.log.slice(-3_000)}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** SIGKILL to all: the cluster's site is gone. */
  async killAll(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((app) => this.end(app, 'SIGKILL')));
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((app) => this.end(app, 'SIGTERM')));
  }

  async end(app: App, signal: NodeJS.Signals): Promise<void> {
    const running = this.#running.get(app);
    if (running === undefined) return;
    const exit = once(running.child, 'exit');
    running.child.kill(signal);
    await exit;
  }

  async request<T = Record<string, unknown>>(method: string, path: string, body?: unknown): Promise<T> {
    const contentType = path === '/v1/events' ? 'application/cloudevents+json' : 'application/json';
    const answer = await fetch(`${this.#running.get('api')?.url ?? ''}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.keys.operator}`, 'content-type': contentType },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return (text === '' ? {} : JSON.parse(text)) as T;
  }
}

export interface Keys {
  readonly operator: string;
  readonly master: string;
}
export const newKeys = (): Keys => ({ operator: newOperatorKey(), master: newMasterKeys() });

/**
 * Copies topics as MirrorMaker does: each partition in its order, at its own pace, at offsets of the target's own, and some
 * of it twice when it is started anew. Compacted topics arrive as they are compacted.
 */
export class Mirror {
  readonly #positions = new Map<string, number>();
  readonly #reader: LogReader;
  readonly #sender: RecordSender;
  #going = true;
  #loop: Promise<void> = Promise.resolve();

  constructor(
    from: KafkaLog,
    to: KafkaLog,
    private readonly partitions: readonly TopicPartition[],
    /** Topics of which the last records are still missing when it stops. */
    private readonly behind: (topic: string) => number,
    private readonly isCompacted: (topic: string) => boolean,
  ) {
    this.#reader = from.reader();
    this.#sender = to.sender();
  }

  async start(): Promise<void> {
    await this.#copy(true);
    this.#loop = this.#run();
  }

  /** What was not copied by now never will be. */
  async stop(): Promise<void> {
    this.#going = false;
    await this.#loop;
    await Promise.all([this.#reader.close(), this.#sender.close()]);
  }

  /** The last records of each partition come once more, as after a crash of MirrorMaker. */
  repeat(count: number): void {
    for (const [name, position] of this.#positions) this.#positions.set(name, Math.max(0, position - count));
  }

  async #run(): Promise<void> {
    while (this.#going) {
      await this.#copy(false);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async #copy(first: boolean): Promise<void> {
    const bounds = await this.#reader.bounds(this.partitions);
    for (const [i, place] of this.partitions.entries()) {
      const { start, end } = bounds[i] ?? { start: 0, end: 0 };
      const from = Math.max(start, this.#positions.get(partitionName(place)) ?? start);
      const to = end - this.behind(place.topic);
      const last = new Map<string, number>();
      if (first && this.isCompacted(place.topic)) {
        for await (const records of this.#reader.range(place, from, to))
          for (const { key, offset } of records) last.set(key?.toString() ?? '', offset);
      }
      for await (const records of this.#reader.range(place, from, to)) {
        const kept = records.filter(({ key, offset }) => (last.get(key?.toString() ?? '') ?? offset) === offset);
        await this.#sender.send(kept.map(({ key, value, headers }) => ({ ...place, key, value, headers })));
      }
      this.#positions.set(partitionName(place), Math.max(from, to));
    }
  }
}
