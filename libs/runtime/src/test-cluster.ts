import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Child } from './child-process.js';
import { kafkaJars } from './downloads.js';
import { freePorts } from './free-port.js';
import { baseSettings, COORDINATOR_PARTITIONS, startKafkaNode } from './kafka-node.js';
import { kafkaAnswers } from './kafka-ready.js';
import type { TestCluster, TestClusterOptions } from './ports.js';

const CONTROLLER_ID = 100;
const READY_MS = 90_000;

/**
 * Starts a cluster of `brokers` Kafka brokers in a temporary folder. The controller is a process of its own, so that
 * killing brokers never takes the quorum away. With three brokers: replication 3, `min.insync.replicas` 2. A dead
 * broker loses its leaderships after 3 s. `stop` removes the folder.
 */
export async function startTestCluster(options: TestClusterOptions): Promise<TestCluster> {
  const jars = await kafkaJars();
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-cluster-'));
  const more = Object.entries(options.listeners ?? {});
  const [controllerPort = 0, ...free] = await freePorts(1 + options.brokers * (1 + more.length));
  const ports = free.slice(0, options.brokers);
  const listenersOf = (index: number): [name: string, address: string][] => [
    ['CLIENTS', `127.0.0.1:${ports[index]}`],
    ...more.map(([name], n): [string, string] => [name, `127.0.0.1:${free[options.brokers * (1 + n) + index]}`]),
  ];
  const base = baseSettings(Math.min(3, options.brokers));
  const shared = {
    ...base,
    'listener.security.protocol.map': [
      base['listener.security.protocol.map'],
      ...more.map((one) => one.join(':')),
    ].join(),
    'controller.quorum.voters': `${CONTROLLER_ID}@127.0.0.1:${controllerPort}`,
    'broker.session.timeout.ms': '3000',
    'broker.heartbeat.interval.ms': '500',
    'replica.lag.time.max.ms': '3000',
    'controlled.shutdown.enable': 'false',
  };
  const startController = () =>
    startKafkaNode({
      title: 'Kafka controller',
      jars,
      folder: join(folder, 'controller'),
      heapMb: 256,
      settings: {
        ...shared,
        'process.roles': 'controller',
        'node.id': String(CONTROLLER_ID),
        listeners: `CONTROLLER://127.0.0.1:${controllerPort}`,
      },
    });
  const startBroker = (index: number) =>
    startKafkaNode({
      title: `Kafka broker ${index}`,
      jars,
      folder: join(folder, `broker-${index}`),
      heapMb: 384,
      settings: {
        ...shared,
        'process.roles': 'broker',
        'node.id': String(index + 1),
        listeners: listed(listenersOf(index)),
        'advertised.listeners': listed(listenersOf(index)),
        ...options.config,
      },
    });

  const addresses = ports.map((port) => `127.0.0.1:${port}`);
  const running = new Map<number, Child>();
  let controller: Child | undefined;
  const at = (index: number): Child => {
    const child = running.get(index);
    if (child === undefined) throw new Error(`Broker ${index} of ${options.brokers} does not run`);
    return child;
  };
  const stop = async (): Promise<void> => {
    // Nobody needs this data again.
    const children = [...running.values(), ...(controller === undefined ? [] : [controller])];
    await Promise.all(children.map(killed));
    running.clear();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  };
  const start = async (indexes: readonly number[]): Promise<void> => {
    await Promise.all(indexes.map(async (index) => running.set(index, await startBroker(index))));
    const expected = indexes.map((index) => ports[index] ?? 0);
    const first = at(indexes[0] ?? 0);
    const seeds = indexes.map((index) => addresses[index] ?? '');
    await first.untilReady(() => kafkaAnswers(seeds, COORDINATOR_PARTITIONS, expected), READY_MS);
  };

  try {
    controller = await startController();
    await start(ports.map((_, index) => index));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    brokers: addresses,
    listeners: Object.fromEntries(listenersOf(0)),
    kill: async (index) => {
      await killed(at(index));
      running.delete(index);
    },
    freeze: (index) => at(index).signal('SIGSTOP'),
    thaw: (index) => at(index).signal('SIGCONT'),
    restart: async (index) => {
      if (running.has(index)) throw new Error(`Broker ${index} still runs: kill it first`);
      await start([index]);
    },
    stop,
  };
}

const listed = (listeners: readonly [string, string][]): string =>
  listeners.map(([name, address]) => `${name}://${address}`).join();

/** Not even a chance to say goodbye. */
async function killed(child: Child): Promise<void> {
  child.signal('SIGKILL');
  await child.ended;
}
