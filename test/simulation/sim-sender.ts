import {
  partitionName,
  SendError,
  type OutgoingRecord,
  type RecordPosition,
  type RecordSender,
  type SendOptions,
} from '#libs/kafka';
import type { Broker, Sent } from './broker.js';
import type { SimProcess } from './sim-process.js';

interface Call {
  readonly options: SendOptions;
  readonly records: readonly OutgoingRecord[];
  readonly positions: RecordPosition[];
  readonly by: Sent;
  left: number;
  settled: boolean;
  resolve(positions: readonly RecordPosition[]): void;
  reject(error: Error): void;
}

interface Item {
  readonly call: Call;
  readonly index: number;
}

/** One sequence of the idempotent producer: however often it arrives, it stands in the log once. */
interface Batch {
  items: Item[];
  tries: number;
  stands: readonly RecordPosition[] | null;
}

interface Outbox {
  readonly queue: Item[];
  batch: Batch | null;
}

export interface SenderWorld {
  readonly broker: Broker;
  /** Whether `held` is ignored: the lease is taken away. */
  readonly ignoresHeld: boolean;
  /** Records of one batch, at most. */
  readonly mostRecords: number;
  /** The process knows that they stand. */
  acknowledged(process: SimProcess, records: readonly OutgoingRecord[]): void;
  count(injection: 'lostAnswer' | 'freshProducer' | 'lateAppend'): void;
}

const answerWithinMs = 1_500;
const backoffMs = 150;

/**
 * What `RecordSender` promises, over a bad network: one batch of a partition on its way at a time, repeated under its
 * sequence until it is acknowledged, by a fresh producer now and then (so that it may stand twice); partitions do not
 * wait for one another. Its contract is in libs/kafka/src/ports.ts, the real one in libs/kafka/src/sender.ts.
 */
export class SimSender implements RecordSender {
  readonly #process: SimProcess;
  readonly #world: SenderWorld;
  readonly #outboxes = new Map<string, Outbox>();
  readonly #unsettled = new Set<Promise<unknown>>();
  #closed = false;

  constructor(process: SimProcess, world: SenderWorld) {
    this.#process = process;
    this.#world = world;
  }

  async send(records: readonly OutgoingRecord[], options: SendOptions = {}): Promise<readonly RecordPosition[]> {
    if (this.#closed) throw new SendError('closed', 'the sender was closed');
    if (records.length === 0) return [];
    const { promise, resolve, reject } = Promise.withResolvers<readonly RecordPosition[]>();
    if (!this.#process.enters()) return promise;
    const by = { process: this.#process.name, at: this.#process.time.elapsed };
    const call: Call = { options, records, positions: [], by, left: records.length, settled: false, resolve, reject };
    if (options.timeoutMs !== undefined) {
      this.#process.schedule(options.timeoutMs, () => this.#fail(call, 'timeout', 'no acknowledgement in time'));
    }
    const touched = new Set<string>();
    records.forEach((record, index) => {
      const name = partitionName(record);
      touched.add(name);
      const outbox = this.#outboxes.get(name) ?? { queue: [], batch: null };
      this.#outboxes.set(name, outbox);
      outbox.queue.push({ call, index });
    });
    this.#unsettled.add(promise);
    void promise.catch(() => undefined).finally(() => this.#unsettled.delete(promise));
    // At the end of the turn, so that the calls of a turn share a request.
    this.#process.schedule(0, () => {
      for (const name of touched) this.#next(name);
    });
    return promise;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#unsettled);
  }

  #next(name: string): void {
    const outbox = this.#outboxes.get(name);
    if (outbox === undefined || outbox.batch !== null) return;
    const items: Item[] = [];
    while (items.length < this.#world.mostRecords) {
      const item = outbox.queue.shift();
      if (item === undefined) break;
      if (!item.call.settled && this.#held(item)) items.push(item);
    }
    if (items.length === 0) return;
    const batch: Batch = { items, tries: 0, stands: null };
    outbox.batch = batch;
    this.#try(name, outbox, batch);
  }

  #held({ call }: Item): boolean {
    if (this.#world.ignoresHeld || (call.options.held?.() ?? true)) return true;
    this.#fail(call, 'not-held', 'the right to append ended before the records were acknowledged');
    return false;
  }

  #try(name: string, outbox: Outbox, batch: Batch): void {
    const process = this.#process;
    const { broker } = this.#world;
    // It dies with the request on its lips.
    if (!process.enters()) return;
    batch.tries += 1;
    const { time, random, trouble } = process;
    const sentAt = time.elapsed;
    let answered = false;
    process.transmit(() => {
      // Nobody listens: the request is gone.
      if (!broker.isAvailable) return;
      if (time.elapsed - sentAt > 1_000) this.#world.count('lateAppend');
      batch.stands ??= broker.append(batch.items.map(({ call, index }) => ({ ...recordOf(call, index), by: call.by })));
      const { stands } = batch;
      if (trouble.lostSends > 0) {
        trouble.lostSends -= 1;
        this.#world.count('lostAnswer');
        return;
      }
      process.answer(() => {
        if (outbox.batch !== batch) return;
        answered = true;
        this.#acknowledged(name, outbox, batch, stands);
      });
    });
    process.schedule(answerWithinMs, () => {
      if (!answered && outbox.batch === batch) this.#again(name, outbox, batch, random.chance(0.3));
    });
  }

  /** No answer: whether it stands in the log is unknown. */
  #again(name: string, outbox: Outbox, batch: Batch, fresh: boolean): void {
    const items = batch.items.filter((item) => this.#held(item));
    const given = items.filter(({ call }) => !call.settled);
    if (given.length === 0) {
      outbox.batch = null;
      this.#next(name);
      return;
    }
    let next = batch;
    if (fresh || items.length < batch.items.length) {
      // Other records under a sequence that the broker may have seen would pass for a repeat.
      next = { items, tries: batch.tries, stands: null };
      this.#world.count('freshProducer');
    }
    outbox.batch = next;
    this.#process.schedule(backoffMs, () => {
      if (outbox.batch === next) this.#try(name, outbox, next);
    });
  }

  #acknowledged(name: string, outbox: Outbox, batch: Batch, stands: readonly RecordPosition[]): void {
    outbox.batch = null;
    this.#world.acknowledged(
      this.#process,
      batch.items.map(({ call, index }) => recordOf(call, index)),
    );
    batch.items.forEach(({ call, index }, nth) => {
      const position = stands[nth];
      if (position === undefined) return;
      call.positions[index] = position;
      call.left -= 1;
      if (call.left > 0 || call.settled) return;
      call.settled = true;
      call.resolve(call.positions);
    });
    this.#next(name);
  }

  #fail(call: Call, code: 'timeout' | 'not-held', message: string): void {
    if (call.settled) return;
    call.settled = true;
    call.reject(new SendError(code, message));
  }
}

function recordOf(call: Call, index: number): OutgoingRecord {
  const record = call.records[index];
  if (record === undefined) throw new RangeError(`the call has no record ${index}`);
  return record;
}
