import { recordBytes, type ProducerStamp } from './record-batch.js';
import { SendError, type OutgoingRecord, type RecordPosition, type SendErrorCode, type SendOptions } from './ports.js';

/** A producer id of the broker. A partition that can no longer tell what was written under one takes a fresh one. */
export interface ProducerIdentity {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

/** One call of `send`: settled when each of its records stands in the log, or when it is given up. */
export class SendCall {
  readonly done: Promise<readonly RecordPosition[]>;
  settled = false;
  private readonly positions: RecordPosition[] = [];
  private left: number;
  private timer: NodeJS.Timeout | undefined;
  private resolve!: (positions: readonly RecordPosition[]) => void;
  private reject!: (error: SendError) => void;

  constructor(
    records: readonly OutgoingRecord[],
    readonly options: SendOptions,
  ) {
    this.left = records.length;
    this.done = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    if (options.timeoutMs !== undefined) {
      const { timeoutMs } = options;
      this.timer = setTimeout(() => this.fail('timeout', `no acknowledgement within ${timeoutMs} ms`), timeoutMs);
    }
  }

  /** May its records be written (again)? Asked for settled calls too: a try may still be under way for others. */
  held(): boolean {
    return this.options.held?.() ?? true;
  }

  acknowledge(index: number, position: RecordPosition): void {
    this.positions[index] = position;
    this.left -= 1;
    if (this.left > 0 || this.settled) return;
    this.settle();
    this.resolve(this.positions);
  }

  fail(code: SendErrorCode, message: string, cause?: unknown): void {
    if (this.settled) return;
    this.settle();
    this.reject(new SendError(code, message, { cause }));
  }

  private settle(): void {
    this.settled = true;
    clearTimeout(this.timer);
  }
}

export interface QueuedRecord {
  readonly record: OutgoingRecord;
  readonly call: SendCall;
  readonly index: number;
  readonly bytes: number;
}

/** What was sent and not yet acknowledged: repeated byte for byte, so that the broker knows it again by its sequence. */
export interface PendingBatch {
  readonly items: readonly QueuedRecord[];
  readonly bytes: number;
  encoded: Buffer | null;
  tries: number;
}

const sequences = 2 ** 31;

/**
 * The records of one partition on their way into the log, in order: a queue, and at most one batch that was sent and not
 * acknowledged. Never two: a lost answer could then make the broker take the second for a repeat of the first.
 */
export class PartitionOutbox {
  pending: PendingBatch | null = null;
  onTheWay = false;
  /** Monotonic time before which nothing is tried. */
  notBefore = 0;
  replacements = 0;
  private queue: QueuedRecord[] = [];
  private head = 0;
  retired: ProducerIdentity | null = null;
  private identity: ProducerIdentity | null = null;
  private sequence = 0;
  /** Set when the broker found a batch of this many records too large. */
  private recordLimit = Number.POSITIVE_INFINITY;

  constructor(
    readonly topic: string,
    readonly partition: number,
  ) {}

  get idle(): boolean {
    return this.pending === null && this.head >= this.queue.length;
  }

  get producer(): ProducerIdentity | null {
    return this.identity;
  }

  /** Begins a new sequence under an identity; never one that was retired here: the broker would take it for a repeat. */
  begin(identity: ProducerIdentity): void {
    this.identity = identity;
    this.sequence = 0;
    if (this.pending !== null) this.pending.encoded = null;
  }

  /** What was written under the present identity is no longer certain. */
  retire(): void {
    if (this.identity === null) return;
    this.replacements += 1;
    this.retired = this.identity;
    this.identity = null;
  }

  stamp({ producerId, producerEpoch }: ProducerIdentity): ProducerStamp {
    return { producerId, producerEpoch, sequence: this.sequence };
  }

  add(record: OutgoingRecord, call: SendCall, index: number): void {
    this.queue.push({ record, call, index, bytes: recordBytes(record) });
  }

  /**
   * The batch to send now: the unacknowledged one, without what may no longer be written, or else what waits, up to the
   * caps. Null when there is nothing. Under one stamp nothing but the very same batch is sent again.
   */
  take(maxBytes: number, maxRecords: number): PendingBatch | null {
    this.dropFromPending();
    this.pending ??= this.fromQueue(maxBytes, Math.min(maxRecords, this.recordLimit));
    return this.pending;
  }

  acknowledged(baseOffset: number): void {
    const batch = this.pending;
    if (batch === null) return;
    this.pending = null;
    this.notBefore = 0;
    this.recordLimit = Number.POSITIVE_INFINITY;
    this.sequence = (this.sequence + batch.items.length) % sequences;
    const { topic, partition } = this;
    batch.items.forEach(({ call, index }, at) =>
      call.acknowledge(index, { topic, partition, offset: baseOffset + at }),
    );
  }

  /** The broker said that it does not write the batch and never will. */
  refused(code: SendErrorCode, message: string): void {
    const batch = this.pending;
    if (batch === null) return;
    this.pending = null;
    // An earlier try, whose answer was lost, may stand in the log: other records under its sequence would pass for it.
    if (batch.tries > 1) this.retire();
    for (const { call } of batch.items) call.fail(code, message);
  }

  /** The broker said that the batch, which it has not written, is too large: halves go on. False: it is one record. */
  split(): boolean {
    const batch = this.pending;
    if (batch === null || batch.items.length < 2) return false;
    this.pending = null;
    this.recordLimit = Math.ceil(batch.items.length / 2);
    this.queue = [...batch.items, ...this.queue.slice(this.head)];
    this.head = 0;
    return true;
  }

  private fromQueue(maxBytes: number, maxRecords: number): PendingBatch | null {
    const items: QueuedRecord[] = [];
    let bytes = 0;
    for (; this.head < this.queue.length; this.head++) {
      const item = this.queue[this.head];
      if (item === undefined || item.call.settled) continue;
      if (!item.call.held()) {
        notHeld(item.call);
        continue;
      }
      if (items.length > 0 && (items.length >= maxRecords || bytes + item.bytes > maxBytes)) break;
      items.push(item);
      bytes += item.bytes;
    }
    if (this.head >= this.queue.length) {
      this.queue = [];
      this.head = 0;
    } else if (this.head > 4_096) {
      this.queue = this.queue.slice(this.head);
      this.head = 0;
    }
    return items.length === 0 ? null : { items, bytes, encoded: null, tries: 0 };
  }

  private dropFromPending(): void {
    const batch = this.pending;
    if (batch === null) return;
    let items = batch.items.filter(({ call }) => {
      const held = call.held();
      if (!held) notHeld(call);
      return held;
    });
    // Nobody waits for any of it: given up, rather than tried for ever.
    if (items.every(({ call }) => call.settled)) items = [];
    if (items.length === batch.items.length) return;
    // Other records under a sequence that the broker may have seen would be taken for a repeat: a fresh producer.
    if (batch.tries > 0) this.retire();
    this.pending =
      items.length === 0
        ? null
        : { items, bytes: items.reduce((sum, { bytes }) => sum + bytes, 0), encoded: null, tries: batch.tries };
  }
}

function notHeld(call: SendCall): void {
  call.fail('not-held', 'the right to append ended before the records were acknowledged');
}
