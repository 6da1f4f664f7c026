import { BrokerRefusal, type Cluster } from './cluster.js';
import { decodeFetch, encodeFetch } from './fetch-request.js';
import { patiently, readBounds, readOffsetsAt } from './log-bounds.js';
import {
  OffsetOutOfRange,
  partitionName,
  type LogBounds,
  type LogReader,
  type LogRecord,
  type TopicPartition,
} from './ports.js';
import { decodeBatches, type DecodedBatches } from './record-batch.js';

const fetchBytes = 2_000_000;
const patienceMs = 60_000;
const offsetOutOfRange = 1;

/**
 * Reads by topic, partition and offset, without a group. Failures that pass are tried again for a minute. It fetches over
 * a connection of its own, so that bounds never wait behind a fetch.
 */
export class KafkaReader implements LogReader {
  private readonly closing = new AbortController();

  constructor(private readonly cluster: Cluster) {}

  async bounds(partitions: readonly TopicPartition[]): Promise<readonly LogBounds[]> {
    return this.patiently('bounds', () => readBounds(this.cluster, partitions));
  }

  async offsetsAt(partitions: readonly TopicPartition[], timestamp: number): Promise<readonly number[]> {
    return this.patiently('offsets by time', () => readOffsetsAt(this.cluster, partitions, timestamp));
  }

  async *range(partition: TopicPartition, from: number, to: number): AsyncIterable<readonly LogRecord[]> {
    let position = from;
    let ahead = position < to ? this.fetch(partition, position) : null;
    while (ahead !== null) {
      const { records, next } = await ahead;
      position = next;
      ahead = position < to ? this.fetch(partition, position) : null;
      // Its failure is met when it is awaited; the consumer may also leave before.
      ahead?.catch(() => undefined);
      const wanted = next > to ? records.filter(({ offset }) => offset < to) : records;
      if (wanted.length > 0) yield wanted;
    }
  }

  close(): Promise<void> {
    this.closing.abort();
    this.cluster.close();
    return Promise.resolve();
  }

  private async fetch(partition: TopicPartition, position: number): Promise<DecodedBatches> {
    return this.patiently(`fetch of ${partitionName(partition)}`, async () => {
      if (this.cluster.leaderOf(partition) === null) await this.cluster.refresh([partition.topic]);
      const leader = this.cluster.leaderOf(partition);
      if (leader === null) throw new BrokerRefusal(5, `no leader for ${partitionName(partition)}`);
      const limits = { maxWaitMs: 250, maxBytes: fetchBytes, maxBytesPerPartition: fetchBytes };
      const request = encodeFetch([{ ...partition, position }], limits);
      const answer = decodeFetch(await this.cluster.callRaw(leader, request, 'fetch'));
      const fetched = answer.partitions[0];
      const code = answer.errorCode === 0 ? (fetched?.errorCode ?? 3) : answer.errorCode;
      if (code === offsetOutOfRange) await this.mustReach(partition, position);
      if (code !== 0 || fetched === undefined)
        throw new BrokerRefusal(code === offsetOutOfRange ? 5 : code, `no records of ${partitionName(partition)}`);
      return decodeBatches(fetched.recordSet, partition, position, fetched.aborted);
    });
  }

  /** Throws unless the position lies in the log after all (a new leader may be behind for a moment). */
  private async mustReach(partition: TopicPartition, position: number): Promise<void> {
    const [bounds] = await readBounds(this.cluster, [partition]);
    if (bounds === undefined || (position >= bounds.start && position <= bounds.end)) return;
    throw new OffsetOutOfRange(partition, position, bounds);
  }

  private async patiently<Result>(what: string, work: () => Promise<Result>): Promise<Result> {
    return patiently(this.cluster, what, work, patienceMs, this.closing.signal);
  }
}
