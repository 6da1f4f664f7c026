import type { FeedHandler, LogFeed, LogRecord, OffsetOutOfRange, TopicPartition } from '#libs/kafka';
import type { PlatformCodecs } from '#libs/schema-codec';
import type { Clock } from './clock.js';

export interface DecodedFeedPorts {
  readonly feed: LogFeed;
  readonly clock: Clock;
  readonly codecs: Pick<PlatformCodecs, 'prepare' | 'isPrepared'>;
  readonly log: { warn(details: object, message: string): void };
}

const registryRetryMs = 1_000;
/**
 * What an endpoint has outstanding stands together: a fetch may bring a thousand records of it, and others get their turn
 * in between.
 */
const recordsAtOnce = 16;

/**
 * Follows a partition with every schema that its records need loaded before they are handed on: in the usual case at
 * once, else the partition pauses until the registry has answered. Nothing is skipped.
 * @returns how to stop; nothing is handed on afterwards
 */
export function followDecoded(
  ports: DecodedFeedPorts,
  at: TopicPartition,
  offset: number,
  handler: FeedHandler,
): () => void {
  let stopped = false;
  /** Batches that wait for a schema, or behind one that does. */
  const waiting: { readonly records: readonly LogRecord[]; readonly end: number }[] = [];

  const handOn = async (): Promise<void> => {
    for (let batch = waiting[0]; batch !== undefined && !stopped; batch = waiting[0]) {
      try {
        await ports.codecs.prepare(batch.records.map((record) => record.value));
      } catch (error) {
        ports.log.warn({ ...at, err: error }, 'the schema registry did not answer; trying again');
        await new Promise<void>((resolve) => void ports.clock.schedule(registryRetryMs, resolve));
        continue;
      }
      if (stopped) return;
      waiting.shift();
      handler.onRecords(batch.records, batch.end);
    }
  };

  ports.feed.follow(at, offset, {
    atOnce: recordsAtOnce,
    onRecords(records, end) {
      if (stopped) return;
      if (waiting.length === 0 && records.every((record) => ports.codecs.isPrepared(record.value))) {
        handler.onRecords(records, end);
        return;
      }
      waiting.push({ records, end });
      if (waiting.length === 1) void handOn();
    },
    onOutOfRange(error: OffsetOutOfRange) {
      if (!stopped) handler.onOutOfRange(error);
    },
  });
  return () => {
    stopped = true;
    waiting.length = 0;
    ports.feed.unfollow(at);
  };
}
