import { inject, onTestFinished } from 'vitest';
import { connectTuned } from '../src/connect.js';
import type { KafkaConnection, KafkaLog, LogRecord, TopicPartition } from '../src/ports.js';
import type { LinkTuning } from '../src/broker-link.js';
import { FaultyProxy } from './faulty-proxy.js';
import type { LogEntry } from './append-oracle.js';

const prefix = `kafka-faults-${process.pid}-${Date.now()}`;
let serial = 0;

export interface Faulty {
  /** Through the proxy, with short time-outs. */
  readonly log: KafkaLog;
  /** Straight to the brokers. */
  readonly direct: KafkaLog;
  readonly proxy: FaultyProxy;
  readonly topic: string;
  readonly brokers: readonly string[];
  readonly connect: (connection?: Partial<KafkaConnection>, tuning?: Partial<LinkTuning>) => KafkaLog;
}

/** A topic of its own on the shared broker (or on `brokers`), and a proxy before it. */
export async function withFaults(
  partitions: number,
  {
    brokers = inject('kafkaBrokers').split(','),
    config = {},
    replicationFactor = 1,
  }: {
    brokers?: readonly string[];
    config?: Record<string, string>;
    replicationFactor?: number;
  } = {},
): Promise<Faulty> {
  const proxy = await FaultyProxy.start(brokers.map((address) => Number(address.split(':')[1])));
  onTestFinished(() => proxy.close());
  const topic = `${prefix}.${(serial += 1)}`;
  const connect: Faulty['connect'] = (connection = {}, tuning = {}) =>
    connectTuned(
      { brokers, clientId: 'faults', ...connection },
      { requestTimeoutMs: 1_500, connectTimeoutMs: 1_000, route: proxy.route, ...tuning },
    );
  const direct = connectTuned({ brokers, clientId: 'direct' });
  const admin = direct.administration();
  const lines = await admin.ensure([
    { name: topic, partitions, replicationFactor, config: { 'message.timestamp.type': 'LogAppendTime', ...config } },
  ]);
  await admin.close();
  if (lines.length > 0) throw new Error(lines.join('\n'));
  return { log: connect(), direct, proxy, topic, brokers, connect };
}

/** All that stands in the topic, each partition in the order of its offsets. The id is the value. */
export async function readAll(log: KafkaLog, topic: string, partitions: number): Promise<LogEntry[]> {
  const reader = log.reader();
  const all: TopicPartition[] = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
  const bounds = await reader.bounds(all);
  const entries: LogEntry[] = [];
  for (const [at, one] of all.entries()) {
    for await (const records of reader.range(one, bounds[at]?.start ?? 0, bounds[at]?.end ?? 0)) {
      entries.push(...records.map(entryOf));
    }
  }
  await reader.close();
  return entries;
}

export function entryOf({ partition, value }: LogRecord): LogEntry {
  return { partition, id: String(value).split(' ')[0] ?? '' };
}

export async function until(condition: () => boolean, withinMs = 30_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited ${withinMs} ms for ${String(condition)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Numbers in [0, 1), the same for the same seed. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
