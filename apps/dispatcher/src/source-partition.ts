import { DispatchWindow, encodeSourcePosition, type RejectionCode, type SourceMark } from '#libs/core';
import type { LogFeed, LogRecord, PartitionCommit, TopicPartition } from '#libs/kafka';
import { Appending, type AppendingPorts } from './appending.js';
import type { Committable, CommitLoop } from './commit-loop.js';
import type { Dispatch, DispatchSend, DispatchSource } from './dispatch.js';
import type { LiveFilter } from './dispatch-endpoint.js';
import type { EventReader, ReadRecord } from './read-events.js';
import { backoffMs, messageOf, pause, type Surroundings } from './surroundings.js';
import type { TakenOver } from './take-over.js';
import type { TenantGrace } from './tenant-grace.js';

/** What is counted here. */
export interface DispatchCounts {
  deliveriesDispatched(count: number): void;
  eventRejected(reason: RejectionCode): void;
  repeats(count: number): void;
  lag(topic: string, partition: number, records: number): void;
}

export interface SourceLimits {
  /** W of DESIGN §3: records beyond the commit. */
  readonly windowRecords: number;
  /** Records that are decoded at once. */
  readonly batchRecords: number;
  readonly batchBytes: number;
  /** What is fetched and not yet decoded: beyond it the feed pauses. */
  readonly queueRecords: number;
  readonly queueBytes: number;
}

/** What all source partitions of a process share; also one sender, so that what they append at a time travels together. */
export interface SourcePorts extends AppendingPorts {
  readonly feed: Pick<LogFeed, 'follow' | 'pause' | 'resume' | 'unfollow'>;
  readonly commits: CommitLoop;
  readonly reader: Pick<EventReader, 'read'>;
  readonly tenants: Pick<TenantGrace, 'hasUnknown' | 'passed'>;
  readonly dispatch: Dispatch;
  readonly counts: DispatchCounts;
  readonly limits: SourceLimits;
}

/** Done while the pipeline stands still. @param position all below it is acknowledged, nothing else was taken */
export type BetweenBatches = (position: number) => Promise<void>;

/**
 * One partition of posthorn.events in our hands: a serial pipeline. It takes a batch, decodes, matches, renders, appends,
 * and goes on when all is acknowledged; while that is awaited, the next is made. An append that failed is repeated whole,
 * so order stands; a crash repeats what was not committed.
 */
export class SourcePartition implements Committable {
  readonly #at: TopicPartition;
  readonly #ports: SourcePorts;
  readonly #source: DispatchSource;
  readonly #window: DispatchWindow;
  readonly #onAlarm: (detail: string) => void;
  #queue: LogRecord[] = [];
  #queuedBytes = 0;
  #paused = false;
  #stopped = false;
  #wake: () => void = () => undefined;
  readonly #appending: Appending;
  readonly #endAtTakeOver: number;
  #waiting: (() => Promise<void>)[] = [];
  /** Of the batch that was taken, where something waited for the pipeline to stand still. */
  #leftFrom: LogRecord | null = null;
  /** The log was delivered to us up to here. */
  #readTo: number;
  #fingerprint: string | null = null;
  #end = 0;
  /** With records that are read, and with those that are appended. */
  #trouble: string | null = null;
  #appendTrouble: string | null = null;

  /** @param onAlarm it cannot go on by itself; the partition has stopped */
  constructor(
    at: TopicPartition,
    taken: TakenOver & { readonly cursors: LiveFilter },
    ports: SourcePorts,
    onAlarm: (detail: string) => void,
  ) {
    this.#at = { topic: at.topic, partition: at.partition };
    this.#ports = ports;
    this.#window = new DispatchWindow(ports.limits.windowRecords, taken.offset);
    const { incarnation, repeats, cursors } = taken;
    const settled = (work: () => Promise<void>): Promise<boolean> => this.#settled(work);
    const [isWaitedFor, putBack] = [() => this.#waiting.length > 0, (from: LogRecord) => void (this.#leftFrom = from)];
    this.#source = {
      partition: at.partition,
      incarnation,
      repeats,
      window: this.#window,
      cursors,
      settled,
      putBack,
      get isWaitedFor() {
        return isWaitedFor();
      },
    };
    this.#onAlarm = onAlarm;
    this.#endAtTakeOver = taken.end;
    this.#readTo = taken.offset;
    this.#appending = new Appending(
      ports,
      () => !this.#stopped,
      (what, error) => (this.#appendTrouble = `${what}: ${messageOf(error)}`),
    );
  }

  /** Why it does not get on at present; null when it does. */
  get trouble(): string | null {
    return this.#appendTrouble ?? this.#trouble;
  }

  start(): void {
    this.#ports.commits.add(this);
    this.#ports.feed.follow(this.#at, this.#window.floor, {
      onRecords: (records, end) => this.#enqueue(records, end),
      onOutOfRange: (error) => this.#alarm(error.message),
    });
    // A bug: going on could lose events. The partition stops, and says so.
    this.#run().catch((error: unknown) => this.#alarm(messageOf(error)));
  }

  /** No longer ours, or all is done: nothing is taken, appended or committed any more. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#ports.feed.unfollow(this.#at);
    this.#ports.commits.remove(this);
    this.#queue = [];
    for (const callOff of this.#waiting.splice(0)) void callOff();
    this.#wake();
  }

  /** Resolves when the append on its way, if any, has ended. Close the gate before. */
  drained(): Promise<void> {
    return this.#appending.drained();
  }

  get isBusy(): boolean {
    return this.#queue.length > 0;
  }

  get isStopped(): boolean {
    return this.#stopped;
  }

  /** Its last commit whose acknowledgement is known. */
  get committedTo(): number {
    return this.#window.floor;
  }

  /** All below is acknowledged. */
  get reached(): number {
    return this.#window.acknowledged.offset;
  }

  /**
   * Whether all that an earlier owner may have sent live lies below the position: a dispatcher sends at most W records
   * beyond its commit, and none that was not there yet.
   */
  get isPastOthers(): boolean {
    const { acknowledged, limit } = this.#window;
    return acknowledged.count >= limit || (this.#queue.length === 0 && this.#readTo >= this.#endAtTakeOver);
  }

  /**
   * Does something between two batches: once all that was taken is acknowledged, the pipeline stands still until `work` is
   * done. @returns false when the partition was stopped before its turn came. Rejects as `work` does.
   */
  between(work: BetweenBatches): Promise<boolean> {
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    this.#waiting.push(async () => {
      if (this.#stopped) return resolve(false);
      await work(this.#window.acknowledged.offset).then(() => resolve(true), reject);
    });
    if (this.#stopped) for (const callOff of this.#waiting.splice(0)) void callOff();
    this.#wake();
    return promise;
  }

  /** Commits until the commit stands at the position; only between two batches. @returns false when it was not taken. */
  async commitAll(): Promise<boolean> {
    if (this.#window.uncommitted > 0) await this.#ports.commits.flush();
    return this.#window.uncommitted === 0;
  }

  commitable(): { readonly commit: PartitionCommit; readonly mark: SourceMark } | null {
    if (this.#stopped || this.#window.uncommitted === 0) return null;
    const mark = this.#window.acknowledged;
    const metadata = encodeSourcePosition({ incarnation: this.#source.incarnation, fingerprint: this.#fingerprint });
    return { commit: { ...this.#at, offset: mark.offset, metadata }, mark };
  }

  committed(mark: SourceMark): void {
    this.#window.commit(mark);
    this.#tellLag();
    this.#wake();
  }

  #enqueue(records: readonly LogRecord[], end: number): void {
    if (this.#stopped) return;
    this.#end = end;
    this.#readTo = Math.max(this.#readTo, (records.at(-1)?.offset ?? end - 1) + 1);
    for (const record of records) {
      this.#queue.push(record);
      this.#queuedBytes += bytesOf(record);
    }
    this.#tellLag();
    const { queueRecords, queueBytes } = this.#ports.limits;
    if (!this.#paused && (this.#queue.length >= queueRecords || this.#queuedBytes >= queueBytes)) {
      this.#paused = true;
      this.#ports.feed.pause(this.#at);
    }
    if (records.length > 0) this.#wake();
  }

  async #run(): Promise<void> {
    let append: Promise<void> = Promise.resolve();
    while (!this.#stopped) {
      if (this.#waiting.length > 0) {
        await append;
        for (const work of this.#waiting.splice(0)) await work();
        continue;
      }
      const batch = this.#take();
      if (batch.length === 0) {
        await this.#woken();
        continue;
      }
      const read = await this.#read(batch);
      if (read === null) return;
      const sends = this.#ports.dispatch.sends(this.#source, read);
      for await (const send of sends) {
        await append;
        if (this.#stopped) return;
        append = this.#append(send).catch((error: unknown) => this.#alarm(messageOf(error)));
      }
      this.#putBack(batch);
    }
  }

  #take(): readonly LogRecord[] {
    const { batchRecords, batchBytes, queueRecords, queueBytes } = this.#ports.limits;
    const most = Math.min(batchRecords, this.#window.room, this.#queue.length);
    let count = 0;
    for (let bytes = 0; count < most && bytes < batchBytes; count += 1) bytes += bytesOf(this.#queue[count]);
    if (count === 0) return [];
    const batch = this.#queue.splice(0, count);
    for (const record of batch) this.#queuedBytes -= bytesOf(record);
    if (this.#paused && this.#queue.length <= queueRecords / 2 && this.#queuedBytes <= queueBytes / 2) {
      this.#paused = false;
      this.#ports.feed.resume(this.#at);
    }
    return batch;
  }

  /** What was not looked at of a batch comes first again. */
  #putBack(batch: readonly LogRecord[]): void {
    const from = this.#leftFrom;
    this.#leftFrom = null;
    if (from === null || this.#stopped) return;
    const left = batch.slice(batch.indexOf(from));
    this.#queue.unshift(...left);
    for (const record of left) this.#queuedBytes += bytesOf(record);
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => (this.#wake = resolve));
  }

  /** Waits for a registry that is away, and for tenants that are about to be known. */
  async #read(batch: readonly LogRecord[]): Promise<readonly ReadRecord[] | null> {
    const { reader, tenants, around } = this.#ports;
    for (let failures = 0; !this.#stopped; failures += 1) {
      try {
        const read = await reader.read(batch);
        if (tenants.hasUnknown(read)) await tenants.passed(read);
        this.#trouble = null;
        return this.#stopped ? null : read;
      } catch (error) {
        await this.#hindered('events cannot be decoded yet', error, failures, around);
      }
    }
    return null;
  }

  /** Waits for a registry that is away, and for transformations that find no room. */
  async #settled(work: () => Promise<void>): Promise<boolean> {
    for (let failures = 0; !this.#stopped; failures += 1) {
      try {
        await work();
        this.#trouble = null;
        return !this.#stopped;
      } catch (error) {
        await this.#hindered('events cannot be rendered yet', error, failures, this.#ports.around);
      }
    }
    return false;
  }

  async #append(send: DispatchSend): Promise<void> {
    if ((await this.#appending.append(send.records)) === null) return;
    const { counts, commits, limits } = this.#ports;
    this.#appendTrouble = null;
    if (send.deliveries > 0) counts.deliveriesDispatched(send.deliveries);
    if (send.repeats > 0) counts.repeats(send.repeats);
    for (const reason of send.rejected) counts.eventRejected(reason);
    if (this.#stopped || send.done === null) return;
    this.#window.acknowledge(send.done.mark);
    this.#fingerprint = send.done.fingerprint;
    if (this.#window.room <= limits.windowRecords / 2) commits.now();
    else commits.soon();
  }

  async #hindered(what: string, error: unknown, failures: number, around: Surroundings): Promise<void> {
    this.#trouble = `${what}: ${messageOf(error)}`;
    around.log.warn({ ...this.#at, failures, reason: messageOf(error) }, what);
    await pause(around, backoffMs(failures));
  }

  #alarm(detail: string): void {
    if (this.#stopped) return;
    this.stop();
    this.#onAlarm(detail);
  }

  #tellLag(): void {
    const { topic, partition } = this.#at;
    this.#ports.counts.lag(topic, partition, Math.max(0, this.#end - this.#window.floor));
  }
}

/** About what a record takes in memory. */
function bytesOf(record: LogRecord | undefined): number {
  if (record === undefined) return 0;
  const { key, value, headers } = record;
  let bytes = 200 + (key?.length ?? 0) + (value?.length ?? 0);
  for (const name in headers) bytes += 50 + (headers[name]?.length ?? 0);
  return bytes;
}
