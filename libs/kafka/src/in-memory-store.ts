import type { LogBounds, LogRecord, TopicPartition } from './ports.js';

export interface StoredPartition {
  start: number;
  readonly records: LogRecord[];
}

/** What the parts of the double share. */
export interface InMemoryStore {
  readonly available: boolean;
  readonly sessionTimeoutMs: number;
  readonly monotonic: () => number;
  readonly defer: (task: () => void) => void;
  readonly after: (ms: number, task: () => void) => () => void;
  stored(at: TopicPartition): StoredPartition | undefined;
  partitionsOf(topics: readonly string[]): TopicPartition[];
  boundsOf(at: TopicPartition): LogBounds;
}
