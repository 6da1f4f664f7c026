import { partitionName, type LogRecord, type TopicPartition } from '#libs/kafka';

/** Consecutive records of one partition: all of its log in [from, to). */
export interface Slice extends TopicPartition {
  readonly from: number;
  readonly to: number;
  readonly records: readonly LogRecord[];
}

interface Waiting extends TopicPartition {
  /** First offset that was not taken. */
  position: number;
  records: LogRecord[];
}

/** Records that were read and wait to be projected, by partition. */
export class RecordQueue {
  readonly #partitions = new Map<string, Waiting>();
  #records = 0;
  #bytes = 0;

  get records(): number {
    return this.#records;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** What is pushed next for this partition begins at `position`; what waited for it is forgotten. */
  open({ topic, partition }: TopicPartition, position: number): void {
    this.drop({ topic, partition });
    this.#partitions.set(partitionName({ topic, partition }), { topic, partition, position, records: [] });
  }

  drop(partition: TopicPartition): void {
    const name = partitionName(partition);
    const waiting = this.#partitions.get(name);
    if (waiting === undefined) return;
    this.#partitions.delete(name);
    for (const record of waiting.records) this.#count(record, -1);
  }

  /** Records of a partition that is not open are dropped. */
  push(partition: TopicPartition, records: readonly LogRecord[]): void {
    const waiting = this.#partitions.get(partitionName(partition));
    if (waiting === undefined) return;
    for (const record of records) {
      waiting.records.push(record);
      this.#count(record, 1);
    }
  }

  /** Takes up to `most` records, from those who have waited longest: each partition goes to the back when it was served. */
  take(most: number): Slice[] {
    const slices: Slice[] = [];
    let left = most;
    // A copy: those that are served move to the back while we look.
    const turn = Array.from(this.#partitions);
    for (const [name, waiting] of turn) {
      if (left === 0) break;
      const records = waiting.records.splice(0, left);
      const last = records.at(-1);
      if (last === undefined) continue;
      const { topic, partition, position: from } = waiting;
      const to = last.offset + 1;
      slices.push({ topic, partition, from, to, records });
      waiting.position = to;
      left -= records.length;
      for (const record of records) this.#count(record, -1);
      this.#partitions.delete(name);
      this.#partitions.set(name, waiting);
    }
    return slices;
  }

  #count(record: LogRecord, sign: 1 | -1): void {
    this.#records += sign;
    this.#bytes += sign * (record.value?.length ?? 0);
  }
}
