import { InMemoryLog, partitionName, type OutgoingRecord, type RecordPosition, type TopicPartition } from '#libs/kafka';
import type { VirtualTime } from './virtual-time.js';

/** Which process called `send` with it, and when. */
export interface Sent {
  readonly process: string;
  readonly at: number;
}

/** A record as it was appended; it stays here when the log is trimmed. */
export interface Appended extends RecordPosition {
  /** Ms since the start of the world. */
  readonly at: number;
  readonly key: string;
  readonly value: Buffer | null;
  /** Null: not by a process of Posthorn. */
  readonly by: Sent | null;
}

/** The brokers: the in-memory log, whether they can be reached, and everything that ever was appended. */
export class Broker {
  readonly log: InMemoryLog;
  readonly history: Appended[] = [];
  readonly #appended: (record: Appended) => void;
  #available = true;
  readonly #time: VirtualTime;
  readonly #waiting: (() => void)[] = [];
  readonly #idle = new Map<string, Set<() => void>>();

  constructor(time: VirtualTime, appended: (record: Appended) => void) {
    this.#time = time;
    this.#appended = appended;
    this.log = new InMemoryLog({
      now: () => time.now(),
      monotonic: () => time.elapsed,
      defer: (task) => void time.schedule(0, task),
      after: (ms, task) => time.schedule(ms, task),
    });
  }

  get isAvailable(): boolean {
    return this.#available;
  }

  setAvailable(available: boolean): void {
    this.#available = available;
    if (available) for (const task of this.#waiting.splice(0)) this.#time.schedule(0, task);
  }

  /** Runs it as soon as the brokers can be reached. */
  reach(task: () => void): void {
    if (this.#available) task();
    else this.#waiting.push(() => this.reach(task));
  }

  append(records: readonly (OutgoingRecord & { readonly by?: Sent | null })[]): readonly RecordPosition[] {
    const positions = this.log.write(records);
    records.forEach(({ key, value, by = null }, nth) => {
      const at = positions[nth];
      if (at === undefined) return;
      const appended = { ...at, at: this.#time.elapsed, key: key?.toString() ?? '', value, by };
      this.history.push(appended);
      this.#appended(appended);
    });
    for (const name of new Set(positions.map(partitionName))) {
      const idle = this.#idle.get(name);
      if (idle === undefined) continue;
      this.#idle.delete(name);
      for (const task of idle) task();
    }
    return positions;
  }

  /** Calls it once, when the partition has grown. */
  whenGrown(at: TopicPartition, task: () => void): void {
    const name = partitionName(at);
    const idle = this.#idle.get(name);
    if (idle === undefined) this.#idle.set(name, new Set([task]));
    else idle.add(task);
  }
}
