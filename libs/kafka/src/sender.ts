import { LinkFailure, errorName, messageOf } from './broker-link.js';
import { backoffMs, BrokerRefusal, isStaleLeader, pause, type Cluster } from './cluster.js';
import { PartitionOutbox, SendCall, type PendingBatch, type ProducerIdentity } from './partition-outbox.js';
import { decodeProduce, encodeProduce, type ProduceAnswer } from './produce-request.js';
import { encodeBatch, recordBytes } from './record-batch.js';
import {
  partitionName,
  SendError,
  type OutgoingRecord,
  type RecordPosition,
  type RecordSender,
  type SendOptions,
} from './ports.js';

const requestBytes = 4_000_000;
const requestRecords = 5_000;
const defaultMaxRecordBytes = 1_000_000;
/** Room for what surrounds a record, below the brokers' default `max.message.bytes` of 1,048,588. */
const batchOverheadBytes = 40_000;

// message too large, record list too large
const tooLarge = new Set([10, 18]);
// invalid topic, topic and cluster authorization, unsupported format, policy violation, invalid record
const refusals = new Set([17, 29, 31, 43, 44, 87]);
// Outcome open or not written: the same batch again. Corrupt, timed out, network, not enough replicas (before and after
// the append), unknown server error, throttled; stale leaders come on top.
const repeats = new Set([2, 7, 13, 19, 20, -1, 89]);

/**
 * Appends with one request on its way per broker, which carries all that waits (group commit), and at most one batch per
 * partition without an answer, repeated unchanged under its sequence until the broker has confirmed it.
 *
 * This is the idempotent producer that kafkajs's is not (KAFKAJS.md): there, an error gives the sequence to other
 * records, a retry skips brokers that have answered although they now lead what failed, and an answer without a
 * partition passes for a success.
 */
export class KafkaSender implements RecordSender {
  private readonly outboxes = new Map<string, PartitionOutbox>();
  /** Those with something to send. */
  private readonly busy = new Set<PartitionOutbox>();
  private readonly lanes = new Set<number>();
  private readonly unsettled = new Set<SendCall>();
  private readonly maxRecordBytes: number;
  private readonly closing = new AbortController();
  private producer: ProducerIdentity | null = null;
  private producerOnTheWay = false;
  private leadersOnTheWay = false;
  private scheduled = false;
  private wakeUp: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(
    private readonly cluster: Cluster,
    private readonly brokerTimeoutMs: number,
    private readonly lingerMs = 0,
  ) {
    this.maxRecordBytes = cluster.kafka.maxRecordBytes ?? defaultMaxRecordBytes;
  }

  async send(records: readonly OutgoingRecord[], options: SendOptions = {}): Promise<readonly RecordPosition[]> {
    if (this.closed) throw new SendError('closed', 'the sender was closed');
    for (const record of records) {
      const bytes = recordBytes(record);
      if (bytes > this.maxRecordBytes) {
        throw new SendError(
          'too-large',
          `a record of ${bytes} bytes for ${record.topic} exceeds ${this.maxRecordBytes}`,
        );
      }
    }
    if (records.length === 0) return [];
    const call = new SendCall(records, options);
    this.unsettled.add(call);
    records.forEach((record, index) => {
      const outbox = this.outbox(record.topic, record.partition);
      outbox.add(record, call, index);
      this.busy.add(outbox);
    });
    this.schedule();
    try {
      return await call.done;
    } finally {
      this.unsettled.delete(call);
    }
  }

  /** How often a producer had to be replaced: only then may a record stand in the log twice. */
  get replaced(): number {
    return [...this.outboxes.values()].reduce((sum, { replacements }) => sum + replacements, 0);
  }

  async close(): Promise<void> {
    this.closed = true;
    await Promise.allSettled([...this.unsettled].map(({ done }) => done));
    this.closing.abort();
    clearTimeout(this.wakeUp);
    this.cluster.close();
  }

  private outbox(topic: string, partition: number): PartitionOutbox {
    const key = partitionName({ topic, partition });
    const known = this.outboxes.get(key);
    if (known !== undefined) return known;
    const outbox = new PartitionOutbox(topic, partition);
    this.outboxes.set(key, outbox);
    return outbox;
  }

  /** Once per turn of the event loop (or per linger), so that all calls of that time share a request. */
  private schedule(): void {
    if (this.scheduled || this.closing.signal.aborted) return;
    this.scheduled = true;
    const dispatch = (): void => {
      this.scheduled = false;
      this.dispatch();
    };
    if (this.lingerMs > 0 && !this.closed) setTimeout(dispatch, this.lingerMs);
    else setImmediate(dispatch);
  }

  private dispatch(): void {
    if (this.closing.signal.aborted) return;
    const now = performance.now();
    let earliest = Number.POSITIVE_INFINITY;
    const byLeader = new Map<number, PartitionOutbox[]>();
    let leaderless = false;
    for (const outbox of this.busy) {
      if (outbox.onTheWay) continue;
      if (outbox.idle) {
        this.busy.delete(outbox);
      } else if (outbox.notBefore > now) {
        earliest = Math.min(earliest, outbox.notBefore);
      } else {
        const leader = this.cluster.leaderOf(outbox);
        if (leader === null) leaderless = true;
        else if (!this.lanes.has(leader)) byLeader.set(leader, [...(byLeader.get(leader) ?? []), outbox]);
      }
    }
    if (leaderless) this.findLeaders();
    if (byLeader.size > 0 && this.producer === null) this.findProducer();
    else for (const [leader, outboxes] of byLeader) void this.transmit(leader, outboxes);
    clearTimeout(this.wakeUp);
    if (earliest < Number.POSITIVE_INFINITY) this.wakeUp = setTimeout(() => this.dispatch(), earliest - now + 1);
  }

  /** One request to one broker. Never rejects. */
  private async transmit(leader: number, outboxes: readonly PartitionOutbox[]): Promise<void> {
    const taken: { outbox: PartitionOutbox; batch: PendingBatch }[] = [];
    let bytes = 0;
    let records = 0;
    for (const outbox of outboxes) {
      if (bytes >= requestBytes || records >= requestRecords) continue;
      const batch = outbox.take(this.maxRecordBytes + batchOverheadBytes, requestRecords - records);
      if (batch === null) continue;
      taken.push({ outbox, batch });
      bytes += batch.bytes;
      records += batch.items.length;
    }
    if (taken.length === 0) return this.schedule();
    // What did not fit goes first next time: a set keeps the order of insertion.
    if (taken.length < outboxes.length) for (const { outbox } of taken) this.toTheEnd(outbox);

    if (taken.some(({ outbox }) => outbox.producer === null && outbox.retired === this.producer)) this.producer = null;
    const fresh = this.producer;
    if (fresh === null) return this.findProducer();
    this.lanes.add(leader);
    const now = Date.now();
    const batches = taken.map(({ outbox, batch }) => {
      if (outbox.producer === null) outbox.begin(fresh);
      const stamp = outbox.stamp(outbox.producer ?? fresh);
      batch.encoded ??= encodeBatch(
        batch.items.map(({ record }) => record),
        stamp,
        now,
        this.cluster.kafka.compression ?? 'none',
      );
      batch.tries += 1;
      outbox.onTheWay = true;
      return { topic: outbox.topic, partition: outbox.partition, bytes: batch.encoded };
    });
    let answers: readonly ProduceAnswer[] | Error;
    try {
      answers = decodeProduce(await this.cluster.callRaw(leader, encodeProduce(batches, this.brokerTimeoutMs)));
    } catch (error) {
      answers = error instanceof Error ? error : new Error(messageOf(error));
    }
    this.lanes.delete(leader);
    for (const { outbox } of taken) this.settle(outbox, answers);
    this.schedule();
  }

  private toTheEnd(outbox: PartitionOutbox): void {
    this.busy.delete(outbox);
    this.busy.add(outbox);
  }

  private settle(outbox: PartitionOutbox, answers: readonly ProduceAnswer[] | Error): void {
    outbox.onTheWay = false;
    if (answers instanceof Error) return this.again(outbox, answers.message, answers instanceof LinkFailure);
    const answer = answers.find(({ topic, partition }) => topic === outbox.topic && partition === outbox.partition);
    // A partition that is missing in the answer was not written, whatever the rest says.
    if (answer === undefined) return this.again(outbox, 'the answer lacks the partition', true);
    const code = answer.errorCode;
    if (code === 0) return outbox.acknowledged(answer.baseOffset);
    if (isStaleLeader(code) || repeats.has(code)) return this.again(outbox, errorName(code), isStaleLeader(code));
    const where = partitionName(outbox);
    if (tooLarge.has(code)) {
      if (!outbox.split()) outbox.refused('too-large', `${where} takes no record of this size: ${errorName(code)}`);
    } else if (refusals.has(code)) {
      outbox.refused('refused', `${where} refuses the records: ${errorName(code)}`);
    } else {
      // The broker and we disagree about the sequence: only a fresh producer can go on.
      this.replace(outbox, errorName(code));
    }
  }

  private again(outbox: PartitionOutbox, reason: string, stale: boolean): void {
    const tries = outbox.pending?.tries ?? 0;
    outbox.notBefore = performance.now() + backoffMs(Math.max(0, tries - 1));
    this.cluster.log(tries > 3 ? 'warn' : 'debug', 'an append is tried again', {
      topic: outbox.topic,
      partition: outbox.partition,
      tries,
      reason,
    });
    if (stale) this.findLeaders();
  }

  private replace(outbox: PartitionOutbox, reason: string): void {
    this.cluster.log('warn', 'a producer is replaced: its records may stand in the log twice', {
      topic: outbox.topic,
      partition: outbox.partition,
      reason,
    });
    outbox.retire();
  }

  private findLeaders(): void {
    if (this.leadersOnTheWay) return;
    this.leadersOnTheWay = true;
    const find = async () => {
      await this.cluster.refresh(new Set([...this.busy].map(({ topic }) => topic)));
      // Still none: a topic that does not exist (yet), or an election.
      if ([...this.busy].some((outbox) => this.cluster.leaderOf(outbox) === null))
        await pause(200, this.closing.signal);
    };
    this.untilDone('leaders are looked up again', find, () => (this.leadersOnTheWay = false));
  }

  private findProducer(): void {
    if (this.producerOnTheWay) return;
    this.producerOnTheWay = true;
    const find = async () => {
      const args = { transactionalId: null, transactionTimeout: 60_000 };
      const answer = await this.cluster.ask<{ errorCode: number; producerId: string; producerEpoch: number }>(
        'InitProducerId',
        22,
        args,
      );
      if (answer.errorCode !== 0) throw new BrokerRefusal(answer.errorCode, 'no producer id');
      this.producer = { producerId: BigInt(answer.producerId), producerEpoch: answer.producerEpoch };
    };
    this.untilDone('a producer id is asked for again', find, () => (this.producerOnTheWay = false));
  }

  private untilDone(what: string, work: () => Promise<void>, done: () => void): void {
    const loop = async () => {
      for (let attempt = 0; !this.closing.signal.aborted; attempt++) {
        try {
          await work();
          break;
        } catch (error) {
          this.cluster.log(attempt > 3 ? 'warn' : 'debug', what, { attempt, reason: messageOf(error) });
          await pause(backoffMs(attempt), this.closing.signal);
        }
      }
      done();
      this.schedule();
    };
    void loop();
  }
}
