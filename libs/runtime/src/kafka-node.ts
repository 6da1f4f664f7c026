import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startChild, type Child } from './child-process.js';
import { mustRun } from './run-to-end.js';

/** The id of the cluster is written into the log folder; a constant one lets the folder be copied. */
const CLUSTER_ID = 'UG9zdGhvcm5Qb3N0aG9ybg';

/** Partitions of `__consumer_offsets`: few, so that all their coordinators are loaded quickly. */
export const COORDINATOR_PARTITIONS = 8;

export interface KafkaNodeOptions {
  readonly title: string;
  readonly jars: string;
  /** Holds its settings, log and data. */
  readonly folder: string;
  /** Java properties over {@link baseSettings}. */
  readonly settings: Readonly<Record<string, string>>;
  readonly heapMb: number;
}

/** Settings of every node of ours, for `replicas` brokers. */
export function baseSettings(replicas: number): Record<string, string> {
  const inSync = replicas >= 3 ? 2 : 1;
  return {
    'auto.create.topics.enable': 'false',
    'default.replication.factor': String(replicas),
    'min.insync.replicas': String(inSync),
    'unclean.leader.election.enable': 'false',
    'offsets.topic.num.partitions': String(COORDINATOR_PARTITIONS),
    'offsets.topic.replication.factor': String(replicas),
    'transaction.state.log.num.partitions': '4',
    'transaction.state.log.replication.factor': String(replicas),
    'transaction.state.log.min.isr': String(inSync),
    // 90 days: a stop shorter than this loses no position (DESIGN section 2).
    'offsets.retention.minutes': '129600',
    'group.initial.rebalance.delay.ms': '0',
    'group.min.session.timeout.ms': '1000',
    'inter.broker.listener.name': 'CLIENTS',
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT',
    // Its default takes a quarter of a small heap.
    'log.cleaner.dedupe.buffer.size': '16777216',
    'num.recovery.threads.per.data.dir': '2',
  };
}

/** Settings of one node that is broker and controller. */
export function combinedNodeSettings(port: number, controllerPort: number): Record<string, string> {
  return {
    ...baseSettings(1),
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `CLIENTS://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `CLIENTS://127.0.0.1:${port}`,
  };
}

/** Writes the settings, formats the folder the first time, and starts the node; does not wait until it answers. */
export async function startKafkaNode(options: KafkaNodeOptions): Promise<Child> {
  const { folder, jars, title } = options;
  mkdirSync(folder, { recursive: true });
  const data = join(folder, 'data');
  const properties = join(folder, 'server.properties');
  const lines = Object.entries({ ...options.settings, 'log.dirs': data }).map(([key, value]) => `${key}=${value}\n`);
  writeFileSync(properties, lines.join(''));
  const classPath = ['-cp', join(jars, '*')];
  const quiet = '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn';
  if (!existsSync(join(data, 'meta.properties'))) {
    const format = ['format', '-t', CLUSTER_ID, '-c', properties, '--ignore-formatted'];
    await mustRun('java', [
      '-Xmx128m',
      '-XX:TieredStopAtLevel=1',
      quiet,
      ...classPath,
      'kafka.tools.StorageTool',
      ...format,
    ]);
  }
  return startChild({
    title,
    command: 'java',
    args: [
      `-Xmx${options.heapMb}m`,
      '-XX:+UseG1GC',
      '-XX:MaxGCPauseMillis=20',
      '-XX:-UsePerfData',
      '-Djava.awt.headless=true',
      '-Dorg.slf4j.simpleLogger.showDateTime=true',
      '-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS',
      quiet,
      ...classPath,
      'kafka.Kafka',
      properties,
    ],
    cwd: folder,
    logFile: join(folder, 'kafka.log'),
  });
}
